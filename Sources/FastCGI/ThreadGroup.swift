import Threads

/// Threads that are started together and waited for together.
final class ThreadGroup: Sendable {
    private struct State {
        var running = 0
        /// The thread that waits for the end of all.
        var waiter: Handoff<Void>?
    }

    private let state = Lock(State())

    /// Starts a detached thread; signals stay blocked in it as they are in the caller.
    ///
    /// Throws `EAGAIN` at the system's limit of threads.
    func start(
        stackBytes: Int = 512 * 1024, _ body: @escaping @Sendable () -> Void
    ) throws(FastCGIError) {
        state.withLock { $0.running += 1 }
        let code = startThread(stackBytes: stackBytes) { [self] in
            body()
            ended()
        }
        guard code == 0 else {
            ended()
            throw FastCGIError("pthread_create", code)
        }
    }

    /// Waits until every thread has ended; false when `seconds` passed first.
    func wait(seconds: Int) -> Bool {
        let turn = Handoff<Void>()
        let isRunning = state.withLock { state in
            if state.running > 0 { state.waiter = turn }
            return state.running > 0
        }
        return !isRunning || turn.wait(until: .now + .seconds(seconds)) != nil
    }

    private func ended() {
        let waiter = state.withLock { state -> Handoff<Void>? in
            state.running -= 1
            guard state.running == 0 else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.give(())
    }
}
