import Synchronization

/// Counters of the requests on one route; thread-safe.
///
/// The counters of all methods and statuses exist from the start, so clients cannot add any.
public final class RouteMetrics: Sendable {
    /// The path in the route table.
    public let route: String

    /// The bytes of the responses.
    public let bytes = Counter()

    /// The distinguished methods; the last one stands for all others.
    private static let methods = ["GET", "HEAD", "POST", "OPTIONS", "other"]

    /// The distinguished statuses; the last one stands for all others and for none.
    private static let statuses = [
        200, 304, 201, 204, 400, 401, 403, 404, 405, 406, 409, 411, 413, 415, 422, 500, 503, 0,
    ]

    /// Statuses in alerts, exported from the start: the first failure must appear as an increase.
    private static let alwaysShown = [200, 500, 503]

    private let methodNames: [String]
    private let counts: InlineArray<90, Atomic<Int>>
    private let histograms = methods.map { _ in Histogram() }

    /// Makes the counters of `route`, which supports `methods`.
    public init(route: String, methods: [String]) {
        self.route = route
        methodNames = methods
        counts = InlineArray { _ in Atomic(0) }
        precondition(counts.count == Self.methods.count * Self.statuses.count, "one place each")
    }

    /// Counts a request, which took `duration` from its arrival to the end of its response.
    public func count(method: String, status: Int, duration: Duration) {
        let row = Self.methods.firstIndex(of: method) ?? Self.methods.count - 1
        let column = Self.statuses.firstIndex(of: status) ?? Self.statuses.count - 1
        counts[row * Self.statuses.count + column].add(1, ordering: .relaxed)
        histograms[row].add(duration)
    }

    /// The durations by method, if there are any.
    var durations: [(method: String, histogram: Histogram)] {
        zip(Self.methods, histograms).filter { $0.1.count > 0 }.map { ($0, $1) }
    }

    /// The number of requests by method and status.
    var requests: [(method: String, status: String, count: Int)] {
        counts.indices.compactMap { index in
            let method = Self.methods[index / Self.statuses.count]
            let status = Self.statuses[index % Self.statuses.count]
            let count = counts[index].load(ordering: .relaxed)
            let isShown = methodNames.contains(method) && Self.alwaysShown.contains(status)
            guard count > 0 || isShown else { return nil }
            return (method, status == 0 ? "none" : String(status), count)
        }
    }
}
