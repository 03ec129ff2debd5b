/// A connection on which a request waits.
struct ReadyConnection: Sendable {
    let descriptor: Int32

    /// When the request was seen.
    let since: ContinuousClock.Instant
}
