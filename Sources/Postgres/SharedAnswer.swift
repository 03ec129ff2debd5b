import Glibc
import Threads

/// A question that many threads ask at once and one of them puts to the server for all.
///
/// Everybody gets an answer to a question that was put after they asked: never an older one.
public final class SharedAnswer<Answer: Sendable>: @unchecked Sendable {
    private let lock = Lock()
    private let patientLimit: Int
    private var waitingCount = 0
    private var askedAt = timespec()
    private var isAsking = false
    private var asked = 0
    private var answered = 0
    private var outcome: Result<Answer, any Error>?

    private static var patienceMilliseconds: Int { 100 }

    /// Starts with nothing known.
    ///
    /// Of the threads that ask, up to `patientLimit` wait however long it takes. The others give up
    /// when a question has been open for a tenth of a second, so that a silent server does not
    /// hold all of them.
    public init(patientLimit: Int = .max) { self.patientLimit = patientLimit }

    /// The answer that `ask` gives, or that another thread's `ask` gives meanwhile.
    ///
    /// Waits as long as one `ask` takes that is under way, and another one after it. An error is
    /// shared too, but for `QueryAbandoned`, which tells of one thread's client only. Throws
    /// `ServerSilent` in a thread that may not wait longer.
    public func answer(_ ask: () throws -> Answer) throws -> Answer {
        if let shared = try lock.whileLocked(sharedOutcome) { return try shared.get() }
        let result = Result { try ask() }
        lock.whileLocked {
            isAsking = false
            // Where one thread's client has gone, the others ask again.
            if case .failure(is QueryAbandoned) = result { return }
            answered = asked
            outcome = result
        }
        lock.wakeAll()
        return try result.get()
    }

    /// The outcome of another thread's question; nil when this thread is to ask.
    private func sharedOutcome() throws(ServerSilent) -> Result<Answer, any Error>? {
        // One that is under way may have been put before we asked.
        let needed = asked + 1
        while isAsking {
            guard wait() else { throw ServerSilent() }
            if answered >= needed, let outcome { return outcome }
        }
        isAsking = true
        askedAt = .now
        asked += 1
        return nil
    }

    /// Waits for the end of the question that is under way; false when this thread gives up.
    private func wait() -> Bool {
        waitingCount += 1
        defer { waitingCount -= 1 }
        // The one that asks waits as well.
        if waitingCount >= patientLimit {
            return lock.wait(until: askedAt.adding(milliseconds: Self.patienceMilliseconds))
        }
        lock.wait()
        return true
    }
}

/// The server has not answered for a while, and enough threads wait for it.
public struct ServerSilent: Error {}
