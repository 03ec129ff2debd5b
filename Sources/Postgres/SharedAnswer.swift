import Glibc

/// A question that many threads ask at once and one of them puts to the server for all.
///
/// Everybody gets an answer to a question that was put after they asked: never an older one.
public final class SharedAnswer<Answer: Sendable>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var isAsking = false
    private var asked = 0
    private var answered = 0
    private var outcome: Result<Answer, any Error>?

    /// Starts with nothing known.
    public init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
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
    /// shared too, but for `QueryAbandoned`, which tells of one thread's client only.
    public func answer(_ ask: () throws -> Answer) throws -> Answer {
        pthread_mutex_lock(mutex)
        // One that is under way may have been put before we asked.
        let needed = asked + 1
        while isAsking {
            pthread_cond_wait(condition, mutex)
            if answered >= needed, let outcome {
                pthread_mutex_unlock(mutex)
                return try outcome.get()
            }
        }
        isAsking = true
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
}
