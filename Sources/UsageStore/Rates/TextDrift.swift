import Usage

/// Texts of records: how far characters / 4 is from their exact tokens, and what both cost.
public struct TextDrift: Sendable {
    /// The number of records.
    public private(set) var records: Int64 = 0
    /// The characters of their texts; four are a token by the rule of thumb.
    public private(set) var characters: Int64 = 0
    /// Their tokens, counted exactly.
    public private(set) var tokens: Int64 = 0
    /// Hundredths of the credits by the rule of thumb.
    public private(set) var estimatedHundredths: Int128 = 0
    /// Hundredths of the credits by exact counts.
    public private(set) var exactHundredths: Int128 = 0

    /// Adds a record.
    mutating func add(characters: Int64, tokens: Int64, _ credits: (Credits, Credits)) {
        records += 1
        self.characters += characters
        self.tokens += tokens
        estimatedHundredths += Int128(credits.0.hundredths)
        exactHundredths += Int128(credits.1.hundredths)
    }
}

/// What `Snapshot.drift` found.
public struct DriftReport: Sendable {
    /// The groups with the most characters; the name of records without one is nil.
    public internal(set) var groups: [(name: String?, drift: TextDrift)] = []
    /// The number of the other groups, and their sum.
    public internal(set) var others = (groups: 0, drift: TextDrift())
    /// All compared records.
    public internal(set) var total = TextDrift()
    /// Records without a stored text or reported tokens; not compared.
    public internal(set) var withoutText = 0
    /// Records that are priced by reported tokens; not compared.
    public internal(set) var reported = 0
}
