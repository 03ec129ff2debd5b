import HTTP
import MessageReader
import Postgres
import Tokenizer
import Usage
import UsageAPI
import UsageStore

/// Work on prepared input that can be repeated; neither a database nor a network takes part.
struct Workload {
    /// How many rows, messages, timestamps, tokens or bytes one run takes.
    let itemCount: Int

    /// Does the work once; a size of what came out, so that none of it can be left out.
    let run: () throws -> Int

    /// Enough rows for what a whole answer costs not to count, and fewer messages, which cost more.
    private static let rowCount = 2000
    private static let messageCount = 500

    private init(_ itemCount: Int, run: @escaping () throws -> Int) {
        self.itemCount = itemCount
        self.run = run
    }

    /// The workload of that name; nil for a name that there is not.
    init?(_ name: String, tokenizerDirectory: String?) throws {
        switch name {
        case "row-scanner": self = Self.rowScanner()
        case "json-encoder": self = Self.encoder(.json)
        case "ndjson-encoder": self = Self.encoder(.ndjson)
        case "csv-encoder": self = Self.encoder(.csv)
        case "json-parser":
            self = Self.parser("application/json", SampleMessages.array(Self.messageCount))
        case "ndjson-parser":
            self = Self.parser("application/x-ndjson", SampleMessages.lines(Self.messageCount))
        case "timestamp-parser": self = Self.timestampParser()
        case "tokenizer", "tokenizer-runs":
            guard let tokenizerDirectory else { return nil }
            let isRuns = name == "tokenizer-runs"
            self = try isRuns ? Self.runs(tokenizerDirectory) : Self.tokenizer(tokenizerDirectory)
        default:
            guard let workload = try tokenizerDirectory.flatMap({ try Self.lines(name, $0) })
            else { return nil }
            self = workload
        }
    }

    /// Messages of a binary COPY, in memory, to the values of their columns.
    private static func rowScanner() -> Workload {
        let rows = SampleRows(rowCount)
        return Workload(rowCount) {
            rows.rewind()
            var sum = 0
            while try rows.next() {
                sum &+= Int(rows.integer(0) ^ rows.integer(1) ^ rows.integer(3))
                sum &+= rows.withText(2) { $0?.count ?? 0 }
            }
            return sum
        }
    }

    /// The same messages to records in `format`, as `GET /usage` answers them.
    private static func encoder(_ format: RecordFormat) -> Workload {
        let rows = SampleRows(rowCount)
        return Workload(rowCount) {
            rows.rewind()
            var length = 0
            let writer = BodyWriter { length += $0.count }
            var encoder = RecordEncoder(format, writer: writer)
            let records = UsageRows(rows)
            try encoder.append(all: records, hasFirst: try records.next(), nextCursor: nil)
            try writer.flush()
            return length
        }
    }

    /// The body of a `POST /usage` to the arrays that go to the database.
    private static func parser(_ contentType: String, _ body: [UInt8]) -> Workload {
        var request = Request(method: "POST", path: "/usage", requestID: "1")
        request.contentType = contentType
        request.body = { body }
        return Workload(messageCount) {
            let messages = try MessageBody(request, within: Bounds()).items.compactMap(\.message)
            precondition(messages.count == messageCount, "messages are invalid")
            return messages.parameters.reduce(0) { sum, parameter in
                guard case .binary(let bytes) = parameter else { return sum }
                return sum + bytes.count
            }
        }
    }

    /// Texts of RFC 3339 to instants.
    private static func timestampParser() -> Workload {
        let texts = (0..<messageCount).map(SampleMessages.timestamp)
        return Workload(messageCount) {
            texts.reduce(0) { $0 ^ Int(Timestamp($1)?.microseconds ?? 0) }
        }
    }

    /// Texts to their number of tokens, which are the items.
    private static func tokenizer(_ directory: String) throws -> Workload {
        let tokenizer = try Tokenizer(.o200kBase, directory: directory)
        let texts = (0..<messageCount).map(SampleMessages.text)
        let run = { texts.reduce(0) { $0 + tokenizer.count($1) } }
        return Workload(run(), run: run)
    }

    /// Runs of one character to their number of tokens; the items are bytes.
    private static func runs(_ directory: String) throws -> Workload {
        let tokenizer = try Tokenizer(.o200kBase, directory: directory)
        let texts = ["a", "я", "中", "१", "-", " ", "\n", "😀"].map {
            String(repeating: $0, count: 65536 / $0.utf8.count)
        }
        return Workload(texts.reduce(0) { $0 + $1.utf8.count }) {
            texts.reduce(0) { $0 + tokenizer.count($1) }
        }
    }

    /// `count ENCODING` or `encode ENCODING`: the lines of standard input to their number of tokens,
    /// or to arrays of them; the items are tokens.
    private static func lines(_ name: String, _ directory: String) throws -> Workload? {
        let words = name.split(separator: " ")
        guard words.count == 2, ["count", "encode"].contains(words[0]),
            let encoding = TokenEncoding(rawValue: String(words[1]))
        else { return nil }
        let tokenizer = try Tokenizer(encoding, directory: directory)
        let texts = Array(sequence(state: ()) { _ in readLine() })
        let run =
            words[0] == "count"
            ? { texts.reduce(0) { $0 + tokenizer.count($1) } }
            : { texts.reduce(0) { $0 + tokenizer.encode($1).count } }
        return Workload(run(), run: run)
    }
}
