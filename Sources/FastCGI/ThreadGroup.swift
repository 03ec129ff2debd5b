import Threads

/// Threads that are started together and waited for together.
final class ThreadGroup: @unchecked Sendable {
    private let lock = Lock()
    private var running = 0

    /// Starts a detached thread; signals stay blocked in it as they are in the caller.
    ///
    /// Throws `EAGAIN` at the system's limit of threads.
    func start(
        stackBytes: Int = 512 * 1024, _ body: @escaping @Sendable () -> Void
    ) throws(FastCGIError) {
        lock.whileLocked { running += 1 }
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
        let deadline = ContinuousClock.now + .seconds(seconds)
        return lock.whileLocked {
            while running > 0 {
                if !lock.wait(for: deadline - .now) { return running == 0 }
            }
            return true
        }
    }

    private func ended() {
        lock.whileLocked {
            running -= 1
            lock.wakeAll()
        }
    }
}
