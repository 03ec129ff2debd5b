import Postgres

/// The revision of one database, which all stores of a process ask for together.
public final class SharedRevision: Sendable {
    private let question = SharedAnswer<Int64>()

    /// Makes one for the stores of one database.
    public init() {}

    func answer(_ ask: () throws -> Int64) throws -> Int64 { try question.answer(ask) }
}
