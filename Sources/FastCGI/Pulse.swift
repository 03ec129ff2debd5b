import Synchronization

/// The rhythm of a self-test, of which at most one is under way.
final class Pulse: Sendable {
    private enum State {
        case due(ContinuousClock.Instant)
        case underWay
    }

    private let test: SelfTest
    private let state = Mutex(State.due(.now))

    init(_ test: SelfTest) { self.test = test }

    /// The longest that the acceptor may sleep now.
    var sleepMilliseconds: Int32 {
        let duration = state.withLock { state in
            switch state {
            case .due(let instant): instant - .now
            case .underWay: test.interval
            }
        }
        return Int32(clamping: max(1, Int((duration / .milliseconds(1)).rounded(.up))))
    }

    /// Puts the question to the first worker that is free, when it is time.
    ///
    /// It overtakes the requests that wait: it is to tell hanging workers from busy ones.
    func beat(into queue: BoundedQueue<Work>) {
        let isDue = state.withLock { state in
            guard case .due(let instant) = state, instant <= .now else { return false }
            state = .underWay
            return true
        }
        if isDue { queue.offerFirst(.selfTest) }
    }

    /// Has the question answered as if it were a request.
    func run(_ answer: (any Exchange) -> Void) {
        let exchange = SelfTestExchange(test.parameters)
        answer(exchange)
        if !exchange.isAborted { test.onAnswer(String(decoding: exchange.output, as: UTF8.self)) }
        state.withLock { $0 = .due(.now + test.interval) }
    }
}
