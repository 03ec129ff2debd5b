import CThreads
import Glibc

/// Passes one value from one thread to another; the only way in which threads wait for each other.
///
/// A semaphore: unlike with a condition variable, the waking thread acquires no lock, which halves
/// the system calls.
public final class Handoff<Value: Sendable>: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private var value: Value?

    /// Makes a handoff without a value.
    public init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Wakes the waiting thread with `value`; call it once.
    public func give(_ value: Value) {
        self.value = value
        sem_post(semaphore)
    }

    /// Waits for the value; call it once.
    public func wait() -> Value {
        while sem_wait(semaphore) != 0 {}
        return taken()
    }

    /// Waits until `deadline`; nil at the timeout, after which it may be called again.
    public func wait(until deadline: ContinuousClock.Instant) -> Value? {
        var deadline = timespec(CLOCK_MONOTONIC, after: deadline - .now)
        while sem_clockwait(semaphore, CLOCK_MONOTONIC, &deadline) != 0 {
            if errno == ETIMEDOUT { return nil }
        }
        return taken()
    }

    /// Waits until `deadline`; at the timeout, nil if `withdraw` returns true, else waits on.
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
    /// Whether both are the same object.
    public static func == (left: Handoff, right: Handoff) -> Bool { left === right }
}

extension timespec {
    /// The time of `clock` after `duration`; the current time if it is negative.
    init(_ clock: clockid_t, after duration: Duration) {
        self.init()
        clock_gettime(clock, &self)
        let wait = max(duration, .zero).components
        let nanoseconds = tv_nsec + Int(wait.attoseconds / 1_000_000_000)
        tv_sec += Int(wait.seconds) + nanoseconds / 1_000_000_000
        tv_nsec = nanoseconds % 1_000_000_000
    }
}
