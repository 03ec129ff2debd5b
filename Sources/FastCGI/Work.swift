/// What the acceptor gives to a worker.
enum Work: Sendable {
    /// A connection on which a request waits.
    case request(ReadyConnection)

    /// The question whether workers answer.
    case selfTest
}
