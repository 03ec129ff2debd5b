import CFastCGI
import Glibc
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
        let task = Unmanaged.passRetained(
            ThreadBody { [self] in
                body()
                ended()
            })
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let code = pthread_create(&thread, &attributes, runThread, task.toOpaque())
        guard code == 0 else {
            task.release()
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

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
    return nil
}
