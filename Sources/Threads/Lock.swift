import Glibc

/// A mutex with one condition, for state that several threads wait on.
///
/// `Synchronization` has a mutex but nothing to wait on, and pthread's two need a stable address.
public final class Lock: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// Makes a lock that nobody holds.
    public init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` while no other thread runs one.
    public func whileLocked<Answer, Failure: Error>(
        _ body: () throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Waits inside `whileLocked` until another thread wakes this one.
    public func wait() { pthread_cond_wait(condition, mutex) }

    /// Waits as `wait` does; false when `duration` passed first.
    public func wait(for duration: Duration) -> Bool {
        var deadline = timespec(CLOCK_MONOTONIC, after: duration)
        return pthread_cond_timedwait(condition, mutex, &deadline) != ETIMEDOUT
    }

    /// Lets all waiting threads go on.
    public func wakeAll() { pthread_cond_broadcast(condition) }
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
