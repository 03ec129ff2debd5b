import Glibc
import HTTP
import Metrics
import UsageAPI
import UsageStore

/// Counters of this process, which reloads do not reset.
final class ProcessMetrics: Sendable {
    /// The counters of the routes.
    let service = ServiceMetrics()

    /// Requests that failed because the database was unavailable.
    let databaseFailures = Counter()

    /// Requests that failed because a tokenizer could not be loaded.
    let tokenizerFailures = Counter()

    /// Dropped log lines.
    let droppedLogLines: Counter

    /// Responses that failed midway because the client disconnected.
    let brokenByClients = Counter()

    /// Responses that failed midway for another reason.
    let brokenByUs = Counter()

    /// The path of the metrics.
    static let metricsPath = "/metrics"

    /// Requests by route: those of the API in the order of their table, `/metrics`, and no route.
    let requests: [RouteMetrics]

    /// Commands to PostgreSQL.
    let commands = Counter()

    /// The time that workers have waited for PostgreSQL, in microseconds.
    let waitMicroseconds = Counter()

    /// The approximate start time of the process.
    let startSeconds = time(nil)

    init(droppedLogLines: Counter) {
        self.droppedLogLines = droppedLogLines
        let reading = [Method.get, .head, .options].map(\.rawValue)
        requests =
            routes.map { route in
                RouteMetrics(route: route.path, methods: route.methods.map(\.rawValue))
            } + [
                RouteMetrics(route: Self.metricsPath, methods: reading),
                RouteMetrics(route: "none", methods: []),
            ]
    }

    /// Counts a completed request.
    func add(_ account: Account, method: String, _ store: UsageStore) {
        let route = requests[account.route ?? requests.count - 1]
        route.count(method: method, status: account.status, duration: account.total)
        route.bytes.add(account.byteCount)
        guard store.commandCount > 0 || store.waited > .zero else { return }
        commands.add(store.commandCount)
        waitMicroseconds.add(store.waited.microseconds)
    }
}

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
