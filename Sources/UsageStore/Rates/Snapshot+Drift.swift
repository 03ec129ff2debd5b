import Postgres
public import Tokenizer
public import Usage

/// Which records are compared, by which tokenizer and in which groups.
public struct DriftQuery: Sendable {
    private let range: Range<Timestamp>
    private let group: UsageRecord.Column?
    private let groupLimit: Int

    /// Counts all texts; if nil, the tokenizer of each rate does, and `o200k_base` for a rate that counts
    /// characters.
    let tokenizer: TokenEncoding?

    /// Makes a query for the records in `range`; each group costs memory.
    public init(
        _ range: Range<Timestamp>, by group: UsageRecord.Column?, groupLimit: Int,
        tokenizer: TokenEncoding?
    ) {
        self.range = range
        self.group = group
        self.groupLimit = groupLimit
        self.tokenizer = tokenizer
    }

    private static let measure = MeasureColumns.stored()
    private static let isReported = "(\(measure.isReported))"
    private static let isCompared = "message_text IS NOT NULL AND NOT \(isReported)"

    /// The name of a record's group; NULL without one.
    private var name: String {
        guard let group else { return "NULL::text" }
        return group.table == .record
            ? "record.\(group.sql)" : "nullif(attribution.\(group.sql), '')"
    }

    /// How many records are compared, have no text, and are priced by reported tokens.
    fileprivate func counts(_ bindings: inout Bindings) -> String {
        """
        SELECT count(*) FILTER (WHERE \(Self.isCompared)),
            count(*) FILTER (WHERE message_text IS NULL AND NOT \(Self.isReported)),
            count(*) FILTER (WHERE \(Self.isReported))
        FROM usage_record AS record WHERE \(times(&bindings))
        """
    }

    /// The groups with the most characters, and the number of all groups.
    fileprivate func groups(_ list: String, _ bindings: inout Bindings) -> String {
        """
        SELECT \(list) FROM (
            SELECT \(name) AS name, sum(character_count) AS characters FROM usage_record AS record
                LEFT JOIN usage_attribution AS attribution USING (attribution_id)
            WHERE \(Self.isCompared) AND \(times(&bindings)) GROUP BY 1
        ) AS named
        ORDER BY characters DESC, name COLLATE "C" LIMIT \(group == nil ? 0 : groupLimit)
        """
    }

    /// The next texts after `last`, with the rates that price them.
    fileprivate func batch(
        _ list: inout SelectList, after last: (Timestamp, Int64)?, _ bindings: inout Bindings
    ) -> (fields: DriftFields, text: String) {
        let fields = DriftFields(&list, name: name)
        let start = last.map {
            "AND (\"timestamp\", message_id) > (\(bindings.bind($0.0)), \(bindings.bind($0.1)))"
        }
        let text = """
            SELECT \(list.sql) FROM (
                SELECT record.* FROM usage_record AS record
                WHERE \(Self.isCompared) AND \(times(&bindings)) \(start ?? "")
                ORDER BY "timestamp", message_id LIMIT 1000
            ) AS record LEFT JOIN usage_attribution AS attribution USING (attribution_id)
            JOIN credit_rate AS rate ON rate.credit_rate_id = coalesce(record.credit_rate_id, (
                SELECT inforce.credit_rate_id
                FROM credit_rate_at(record."timestamp", attribution.model) AS inforce))
            ORDER BY "timestamp", message_id
            """
        return (fields, text)
    }

    private func times(_ bindings: inout Bindings) -> String {
        """
        "timestamp" >= \(bindings.bind(range.lowerBound))
        AND "timestamp" < \(bindings.bind(range.upperBound))
        """
    }

    /// Credits of counted texts, in order: by the rule of thumb, and by exact tokens.
    fileprivate static func price(_ list: inout SelectList) -> (Field<Credits>, Field<Credits>) {
        func credits(_ tokens: String) -> String {
            MeasureColumns(
                characters: "counted.characters", tokens: tokens,
                reported: Array(repeating: "NULL", count: 4)
            ).credits()
        }
        return (list.add(credits("NULL")), list.add(credits("counted.tokens")))
    }

    /// The rates of the counted texts, each as one that counts tokens.
    fileprivate static let counted = """
        unnest($1::bigint[], $2::bigint[], $3::bigint[])
            WITH ORDINALITY AS counted(rate, characters, tokens, number)
        JOIN (
            SELECT credit_rate_id, \(Pricing.prices.joined(separator: ", ")), minimum_hundredths,
                'exact' AS tokenizer
            FROM credit_rate
        ) AS rate ON rate.credit_rate_id = counted.rate
        ORDER BY number
        """
}

/// The columns of a text and its rate.
private struct DriftFields {
    let record: RecordFields
    let name: Field<String?>
    let rate: Field<Int64>
    let tokenizer: Field<String>

    init(_ list: inout SelectList, name: String) {
        record = list.add([.messageID, .timestamp, .text, .characterCount], of: "record")
        self.name = list.add(name)
        rate = list.add("rate.credit_rate_id")
        tokenizer = list.add("rate.tokenizer")
    }
}

/// A batch of counted texts.
private struct CountedTexts {
    var names: [String?] = []
    var rates: [Int64?] = []
    var characters: [Int64?] = []
    var tokens: [Int64?] = []
    var last: (Timestamp, Int64)?
}

extension Snapshot {
    /// Counts the tokens of the texts of a range, and compares them with characters / 4.
    ///
    /// Calls `progress` with the number of compared records and of all that will be.
    public func drift(
        _ query: DriftQuery, _ tokenizers: Tokenizers, progress: (Int, Int) -> Void
    ) throws -> DriftReport {
        try reportingUnavailability {
            var report = DriftReport()
            let count = try countRecords(query, &report)
            // By bytes: Swift compares canonically equivalent strings as equal.
            var places: [[UInt8]?: Int] = [:]
            for name in try largestGroups(query, &report) {
                places[name.map { Array($0.utf8) }] = report.groups.count
                report.groups.append((name, TextDrift()))
            }
            var last: (Timestamp, Int64)?
            repeat {
                let texts = try countTexts(query, tokenizers, after: last)
                try add(texts, places, to: &report)
                last = texts.last
                progress(Int(report.total.records), count)
            } while last != nil
            return report
        }
    }

    private func countRecords(_ query: DriftQuery, _ report: inout DriftReport) throws -> Int {
        var bindings = Bindings()
        let text = query.counts(&bindings)
        let counts = try QueryReader(connection, "drift", text, bindings.values, isStreamed: false)
        guard try counts.next() else { return 0 }
        report.withoutText = Int(counts.integer(1))
        report.reported = Int(counts.integer(2))
        return Int(counts.integer(0))
    }

    private func largestGroups(
        _ query: DriftQuery, _ report: inout DriftReport
    ) throws -> [String?] {
        var bindings = Bindings()
        var list = SelectList()
        let name = list.add("name", as: String?.self)
        let count = list.add("count(*) OVER ()", as: Int64.self)
        let reader = try QueryReader(
            connection, "drift_groups", query.groups(list.sql, &bindings), bindings.values,
            isStreamed: false)
        var names: [String?] = []
        while try reader.next() {
            names.append(reader[name])
            report.others.groups = Int(reader[count])
        }
        report.others.groups -= names.count
        return names
    }

    /// Counts the next texts, one at a time: each may be 8 MiB.
    private func countTexts(
        _ query: DriftQuery, _ tokenizers: Tokenizers, after last: (Timestamp, Int64)?
    ) throws -> CountedTexts {
        var bindings = Bindings()
        var list = SelectList()
        let (fields, text) = query.batch(&list, after: last, &bindings)
        let reader = try QueryReader(
            connection, "drift_texts", text, bindings.values, isStreamed: true)
        var texts = CountedTexts()
        while try reader.next() {
            let record = reader[fields.record]
            let encoding =
                query.tokenizer ?? TokenEncoding(rawValue: reader[fields.tokenizer]) ?? .o200kBase
            texts.names.append(reader[fields.name])
            texts.rates.append(reader[fields.rate])
            texts.characters.append(record.characterCount)
            texts.tokens.append(try tokenizers.count(record.text ?? "", by: encoding))
            if let timestamp = record.timestamp, let id = record.messageID {
                texts.last = (timestamp, id)
            }
        }
        return texts
    }

    /// Prices texts, and adds them to their groups and the total.
    private func add(
        _ texts: CountedTexts, _ places: [[UInt8]?: Int], to report: inout DriftReport
    ) throws {
        var list = SelectList()
        let (estimated, exact) = DriftQuery.price(&list)
        let reader = try QueryReader(
            connection, "drift_prices", "SELECT \(list.sql) FROM \(DriftQuery.counted)",
            [.array(texts.rates), .array(texts.characters), .array(texts.tokens)],
            isStreamed: false)
        for (index, name) in texts.names.enumerated() where try reader.next() {
            let characters = texts.characters[index] ?? 0
            let tokens = texts.tokens[index] ?? 0
            let credits = (reader[estimated], reader[exact])
            report.total.add(characters: characters, tokens: tokens, credits)
            if let place = places[name.map { Array($0.utf8) }] {
                report.groups[place].drift.add(characters: characters, tokens: tokens, credits)
            } else if !report.groups.isEmpty {
                report.others.drift.add(characters: characters, tokens: tokens, credits)
            }
        }
    }
}
