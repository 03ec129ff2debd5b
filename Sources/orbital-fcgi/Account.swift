import HTTP

/// Measurements of one request; each worker reuses one for all its requests.
final class Account {
    /// When the request arrived.
    private var arrival = ContinuousClock.now

    /// The wait for a worker.
    private(set) var queueWait = Duration.zero

    /// The time from the arrival to the first byte of the response; nil without a response.
    private(set) var firstByte: Duration?

    /// The time from the arrival to the end of the response.
    private(set) var total = Duration.zero

    /// The status of the response; 0 without one.
    private(set) var status = 0

    /// The source of the response; nil unless it is a query's.
    private(set) var origin: Response.Origin?

    /// The index of its route in the table; nil if there is none.
    var route: Int?

    /// The number of bytes sent.
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
