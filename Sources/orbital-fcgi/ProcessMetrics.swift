import Glibc
import HTTP
import Metrics
import UsageAPI
import UsageStore

/// What is counted in this process, whatever configuration is in force.
final class ProcessMetrics: Sendable {
    /// What the routes count.
    let service = ServiceMetrics()

    /// Requests that failed because the database was unavailable.
    let databaseFailures = Counter()

    /// Requests that failed because a tokenizer could not be loaded.
    let tokenizerFailures = Counter()

    /// Log lines that were dropped.
    let droppedLogLines: Counter

    /// Responses that failed midway because the client disconnected.
    let brokenByClients = Counter()

    /// Responses that failed midway for another reason.
    let brokenByUs = Counter()

    /// The path that shows all of this.
    static let metricsPath = "/metrics"

    /// Requests by route: those of the API in the order of their table, `/metrics`, and no route.
    let requests: [RouteMetrics]

    /// Commands to PostgreSQL.
    let commands = Counter()

    /// The time that workers have waited for it, in microseconds.
    let waitMicroseconds = Counter()

    /// When the process began, or so.
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

    /// Counts a request that has been answered.
    func add(_ account: Account, method: String, _ store: UsageStore) {
        let route = requests[account.route ?? requests.count - 1]
        route.count(method: method, status: account.status, duration: account.total)
        route.bytes.add(account.byteCount)
        guard store.commandCount > 0 || store.waited > .zero else { return }
        commands.add(store.commandCount)
        waitMicroseconds.add(store.waited.microseconds)
    }
}
