/// A question that a server asks its own workers, to prove that they still answer.
public struct SelfTest: Sendable {
    /// How long after one answer the next question is put.
    public let interval: Duration

    /// The CGI meta-variables of the request.
    public let parameters: [String: String]

    /// Gets the answer in the worker that gave it; not called while no worker is free.
    public let onAnswer: @Sendable (String) -> Void

    /// Makes a test.
    public init(
        every interval: Duration, _ parameters: [String: String],
        onAnswer: @escaping @Sendable (String) -> Void
    ) {
        self.interval = interval
        self.parameters = parameters
        self.onAnswer = onAnswer
    }
}

/// The exchange of a self-test: a request that no client sent, an answer that none gets.
final class SelfTestExchange: Exchange {
    private let parameters: [String: String]
    private(set) var output: [UInt8] = []
    private(set) var isAborted = false
    let arrival = ContinuousClock.now

    init(_ parameters: [String: String]) { self.parameters = parameters }

    var clientDescriptor: Int32? { nil }

    func parameterBytes(_ name: String) -> [UInt8]? { parameters[name].map { Array($0.utf8) } }

    func readBody(upTo limit: Int) throws(FastCGIError) -> [UInt8]? { [] }

    func write(_ bytes: Span<UInt8>) throws(FastCGIError) {
        for index in bytes.indices { output.append(bytes[index]) }
    }

    func abort() { isAborted = true }
}
