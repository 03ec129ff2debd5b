import Synchronization

/// What is counted of the requests on one route; safe to share.
///
/// There is a place for each method and each status beforehand, so that no client can make more.
public final class RouteMetrics: Sendable {
    /// The route as the table writes it.
    public let route: String

    /// The bytes of the answers.
    public let bytes = Counter()

    /// The methods that are told apart; any other is the last.
    private static let methods = ["GET", "HEAD", "POST", "OPTIONS", "other"]

    /// The statuses that are told apart; any other, and none at all, is the last.
    private static let statuses = [
        200, 304, 201, 204, 400, 401, 403, 404, 405, 406, 409, 411, 413, 415, 422, 500, 503, 0,
    ]

    /// What alerts ask for is there from the start: the first failure must be seen as a rise.
    private static let alwaysShown = [200, 500, 503]

    private let methodNames: [String]
    private let counts: InlineArray<90, Atomic<Int>>
    private let histograms = methods.map { _ in Histogram() }

    /// Makes a place for the requests on `route`, which answers `methods`.
    public init(route: String, methods: [String]) {
        self.route = route
        methodNames = methods
        counts = InlineArray { _ in Atomic(0) }
        precondition(counts.count == Self.methods.count * Self.statuses.count, "one place each")
    }

    /// Counts a request, which took `duration` from its arrival to the end of its answer.
    public func count(method: String, status: Int, duration: Duration) {
        let row = Self.methods.firstIndex(of: method) ?? Self.methods.count - 1
        let column = Self.statuses.firstIndex(of: status) ?? Self.statuses.count - 1
        counts[row * Self.statuses.count + column].add(1, ordering: .relaxed)
        histograms[row].add(duration)
    }

    /// How long requests took, by method; of those that there were.
    var durations: [(method: String, histogram: Histogram)] {
        zip(Self.methods, histograms).filter { $0.1.count > 0 }.map { ($0, $1) }
    }

    /// What was counted, by method and status.
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
