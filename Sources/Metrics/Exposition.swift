/// Metrics in the text format of Prometheus, version 0.0.4.
///
/// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
public struct Exposition {
    /// The type of a metric.
    public enum Kind: String {
        /// It only grows, except for restarts; its name ends in `_total`.
        case counter
        /// It can grow and shrink.
        case gauge
        /// It counts values in buckets.
        case histogram
    }

    /// The text so far.
    public private(set) var text = ""

    /// The value of `Content-Type`.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private var name = ""

    /// Starts empty.
    public init() {}

    /// Begins a metric; its samples follow.
    public mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// Writes a metric with one sample.
    public mutating func metric(
        _ name: String, _ kind: Kind, _ help: String, _ value: some Numeric
    ) {
        begin(name, kind, help)
        sample([], value)
    }

    /// Writes a sample of the metric.
    public mutating func sample(_ labels: [(name: String, value: String)], _ value: some Numeric) {
        line("", labels, "\(value)")
    }

    /// Writes a metric with one sample of `hundredths`, exact with two decimals.
    public mutating func metric(_ name: String, _ kind: Kind, _ help: String, hundredths: Int) {
        begin(name, kind, help)
        let rest = hundredths % 100
        line("", [], "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)")
    }

    /// Writes the metrics of `routes`: requests by method and status, durations, and bytes.
    public mutating func requests(_ routes: [RouteMetrics]) {
        begin("orbital_requests_total", .counter, "Requests handled by a worker.")
        for route in routes {
            for (method, status, count) in route.requests {
                sample([("route", route.route), ("method", method), ("code", status)], count)
            }
        }
        begin(
            "orbital_request_duration_seconds", .histogram,
            "Time from the arrival of a request to the end of its response.")
        for route in routes {
            for (method, durations) in route.durations {
                histogram([("route", route.route), ("method", method)], durations)
            }
        }
        begin("orbital_sent_bytes_total", .counter, "Bytes of responses sent.")
        for route in routes { sample([("route", route.route)], route.bytes.total) }
    }

    private mutating func histogram(
        _ labels: [(name: String, value: String)], _ histogram: Histogram
    ) {
        let counts = histogram.cumulativeCounts
        let bounds = Histogram.boundsMicroseconds.map { "\(Double($0) / 1_000_000)" } + ["+Inf"]
        for (bound, count) in zip(bounds, counts) {
            line("_bucket", labels + [("le", bound)], String(count))
        }
        line("_sum", labels, "\(histogram.seconds)")
        line("_count", labels, String(histogram.count))
    }

    private mutating func line(
        _ suffix: String, _ labels: [(name: String, value: String)], _ value: String
    ) {
        text += name + suffix
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(escaped($0.value))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(value)\n"
    }
}

private func escaped(_ value: String) -> String {
    var text = ""
    for character in value.unicodeScalars {
        switch character {
        case "\\": text += #"\\"#
        case "\"": text += #"\""#
        case "\n": text += #"\n"#
        default: text.unicodeScalars.append(character)
        }
    }
    return text
}
