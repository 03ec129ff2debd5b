/// What an export says about a record's price.
public struct ExportedAccount: Hashable, Sendable {
    /// The credits it used.
    public var creditsUsed: Credits?

    /// The tokens that an exact tokenizer counted, if the price depends on them.
    public var tokenCount: Int64?

    /// That tokenizer.
    public var tokenizer: String?

    /// Whether the record was priced by characters although the rate counts exact tokens.
    public var isEstimated = false

    /// The number of its rate in the export; nil when the record brought its own credits.
    public var rate: Int64?

    /// Makes an account of which at most the credits are known.
    public init(creditsUsed: Credits? = nil) { self.creditsUsed = creditsUsed }
}
