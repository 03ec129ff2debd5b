import CThreads
import Glibc

/// A place where one thread waits for what another one gives it, once: the one way to wait.
///
/// The one that gets it takes no lock, as it would with a condition, and so waits for none: that
/// halves the system calls.
public final class Handoff<Value: Sendable>: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private var value: Value?

    /// Makes a place where nothing is yet.
    public init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Lets the waiting thread go on with `value`; call it once.
    public func give(_ value: Value) {
        self.value = value
        sem_post(semaphore)
    }

    /// What was given, waiting for it; call it once.
    public func wait() -> Value {
        while sem_wait(semaphore) != 0 {}
        return taken()
    }

    /// As `wait`; nil when `deadline` passed first, after which it may be called again.
    public func wait(until deadline: ContinuousClock.Instant) -> Value? {
        var deadline = timespec(CLOCK_MONOTONIC, after: deadline - .now)
        while sem_clockwait(semaphore, CLOCK_MONOTONIC, &deadline) != 0 {
            if errno == ETIMEDOUT { return nil }
        }
        return taken()
    }

    /// As `wait`; nil when `deadline` passed first and `withdraw` says that nothing will be given.
    public func wait(
        until deadline: ContinuousClock.Instant, orElse withdraw: () -> Bool
    ) -> Value? {
        if let given = wait(until: deadline) { return given }
        return withdraw() ? nil : wait()
    }

    private func taken() -> Value {
        guard let value else { preconditionFailure("nothing was given") }
        return value
    }
}

extension Handoff: Equatable {
    /// Whether they are the same place.
    public static func == (left: Handoff, right: Handoff) -> Bool { left === right }
}

extension timespec {
    /// What `clock` will show when `duration` has passed, or shows now if that is negative.
    init(_ clock: clockid_t, after duration: Duration) {
        self.init()
        clock_gettime(clock, &self)
        let wait = max(duration, .zero).components
        let nanoseconds = tv_nsec + Int(wait.attoseconds / 1_000_000_000)
        tv_sec += Int(wait.seconds) + nanoseconds / 1_000_000_000
        tv_nsec = nanoseconds % 1_000_000_000
    }
}
