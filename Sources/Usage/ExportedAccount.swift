/// What an export says of a record's price, beside its message.
public struct ExportedAccount: Hashable, Sendable {
    /// The credits it used.
    public var creditsUsed: Credits?

    /// The tokens that an exact tokenizer counted, where they are the measure.
    public var tokenCount: Int64?

    /// That tokenizer.
    public var tokenizer: String?

    /// Whether characters were the measure although the rate counts exact tokens.
    public var isEstimated = false

    /// The number of its rate in the export; nil when the record brought its own credits.
    public var rate: Int64?

    /// Makes an account of which only the credits are known, if anything.
    public init(creditsUsed: Credits? = nil) { self.creditsUsed = creditsUsed }
}
