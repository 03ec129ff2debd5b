import Glibc

/// A question that many threads ask at once and one of them puts to the server for all.
///
/// Everybody gets an answer to a question that was put after they asked: never an older one.
public final class SharedAnswer<Answer: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let patientLimit: Int
    private var waitingCount = 0
    private var askedAt = timespec()
    private var isAsking = false
    private var asked = 0
    private var answered = 0
    private var outcome: Result<Answer, any Error>?

    /// Starts with nothing known.
    ///
    /// Of the threads that ask, up to `patientLimit` wait however long it takes. The others give up
    /// when a question has been open for a tenth of a second, so that a silent server does not
    /// hold all of them.
    public init(patientLimit: Int = .max) {
        self.patientLimit = patientLimit
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

    /// The answer that `ask` gives, or that another thread's `ask` gives meanwhile.
    ///
    /// Waits as long as one `ask` takes that is under way, and another one after it. An error is
    /// shared too, but for `QueryAbandoned`, which tells of one thread's client only. Throws
    /// `ServerSilent` in a thread that may not wait longer.
    public func answer(_ ask: () throws -> Answer) throws -> Answer {
        pthread_mutex_lock(mutex)
        // One that is under way may have been put before we asked.
        let needed = asked + 1
        while isAsking {
            guard wait() else {
                pthread_mutex_unlock(mutex)
                throw ServerSilent()
            }
            if answered >= needed, let outcome {
                pthread_mutex_unlock(mutex)
                return try outcome.get()
            }
        }
        isAsking = true
        clock_gettime(CLOCK_MONOTONIC, &askedAt)
        asked += 1
        let number = asked
        pthread_mutex_unlock(mutex)
        let result = Result { try ask() }
        pthread_mutex_lock(mutex)
        isAsking = false
        if case .failure(is QueryAbandoned) = result {
            // The others ask again.
        } else {
            answered = number
            outcome = result
        }
        pthread_mutex_unlock(mutex)
        pthread_cond_broadcast(condition)
        return try result.get()
    }

    /// Waits for the end of the question that is under way; false when this thread gives up.
    private func wait() -> Bool {
        waitingCount += 1
        defer { waitingCount -= 1 }
        // The one that asks waits as well.
        guard waitingCount >= patientLimit else {
            pthread_cond_wait(condition, mutex)
            return true
        }
        var deadline = askedAt
        deadline.tv_nsec += 100_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        return pthread_cond_timedwait(condition, mutex, &deadline) != ETIMEDOUT
    }
}

/// The server has not answered for a while, and enough threads wait for it.
public struct ServerSilent: Error {}
