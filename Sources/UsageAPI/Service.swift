public import UsageStore

/// What routes may ask: the records, and the state of the process.
public struct Service {
    /// The usage records.
    public let store: UsageStore

    /// Whether the process is about to stop.
    public let isDraining: () -> Bool

    /// Makes a service.
    public init(store: UsageStore, isDraining: @escaping () -> Bool) {
        self.store = store
        self.isDraining = isDraining
    }
}
