import Postgres
import Tokenizer
import Usage

/// What an exact tokenizer counted in a text.
package struct TokenCount {
    let tokens: Int64

    /// The tokenizer's name, as the price list has it.
    let encoding: String
}

/// Counts the tokens of texts, if the rate in force at their time needs them.
struct TokenCounter: Sendable {
    /// The entries of the price list, the newest first; no encoding where characters are the measure.
    private let entries: [(from: Timestamp?, encoding: TokenEncoding?)]
    private let tokenizers: Tokenizers

    /// Reads the price list.
    init(_ connection: Connection, _ tokenizers: Tokenizers) throws {
        let reader = try QueryReader(
            connection,
            """
            SELECT CASE WHEN isfinite(effective_from) THEN effective_from END, tokenizer
            FROM credit_rate ORDER BY effective_from DESC
            """, [String](), isStreamed: false)
        var entries: [(from: Timestamp?, encoding: TokenEncoding?)] = []
        while try reader.next() {
            let from =
                reader.isNull(0) ? nil : Timestamp(postgresMicroseconds: reader.integer(0))
            entries.append((from, reader.string(1).flatMap(TokenEncoding.init(rawValue:))))
        }
        self.entries = entries
        self.tokenizers = tokenizers
    }

    /// What was counted in each message; empty where characters are the measure of all times.
    func counts(_ messages: some Sequence<NewMessage>) throws -> [TokenCount?] {
        guard entries.contains(where: { $0.encoding != nil }) else { return [] }
        let now = Timestamp.now
        return try messages.map { try count($0.text, at: $0.timestamp ?? now) }
    }

    /// What was counted in a text of that time; nil where characters are the measure.
    func count(_ text: String, at time: Timestamp) throws -> TokenCount? {
        guard let encoding = encoding(at: time) else { return nil }
        return TokenCount(
            tokens: try tokenizers.count(text, by: encoding), encoding: encoding.rawValue)
    }

    /// The tokenizer that the price list needs at a time; nil if it counts characters.
    func encoding(at time: Timestamp) -> TokenEncoding? {
        entries.first { entry in entry.from.map { $0 <= time } ?? true }?.encoding
    }

    /// The tokenizers that the price list needs at any time in a range.
    func encodings(of range: ClosedRange<Timestamp>) -> Set<TokenEncoding> {
        let later = entries.filter { entry in entry.from.map { range.contains($0) } ?? false }
        return Set(
            later.compactMap(\.encoding) + [encoding(at: range.lowerBound)].compactMap(\.self))
    }
}
