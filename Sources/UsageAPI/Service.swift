public import UsageStore

/// What routes may ask: the records, and the state of the process.
public struct Service {
    /// The usage records.
    public let store: UsageStore

    /// Whether the process is about to stop.
    public let isDraining: () -> Bool

    /// Tells the operator what a client is not told.
    public let report: (String) -> Void

    /// Makes a service.
    public init(
        store: UsageStore, isDraining: @escaping () -> Bool, report: @escaping (String) -> Void
    ) {
        self.store = store
        self.isDraining = isDraining
        self.report = report
    }
}
