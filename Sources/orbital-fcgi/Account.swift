import HTTP

/// What one request came to; each worker has one, which is opened anew for each request.
final class Account {
    /// When the request came.
    private var arrival = ContinuousClock.now

    /// How long it waited for a worker.
    private(set) var queueWait = Duration.zero

    /// How long it took until its answer was known and began to be sent; nil without an answer.
    private(set) var firstByte: Duration?

    /// How long it took until its answer had been handed over.
    private(set) var total = Duration.zero

    /// The status of the answer; 0 without one.
    private(set) var status = 0

    /// Where its response comes from; nil if it is not a query's.
    private(set) var origin: Response.Origin?

    /// The place of its route in the table; nil when there is none.
    var route: Int?

    /// The bytes of its answer.
    var byteCount = 0

    func open(arrival: ContinuousClock.Instant) {
        self.arrival = arrival
        queueWait = .now - arrival
        firstByte = nil
        status = 0
        origin = nil
        route = nil
        byteCount = 0
    }

    func begin(_ response: Response) {
        status = response.status.code
        origin = response.origin
        firstByte = .now - arrival
    }

    func close() { total = .now - arrival }
}
