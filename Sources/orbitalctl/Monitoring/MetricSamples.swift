/// The samples of one `GET /metrics`.
struct MetricSamples {
    /// When they were read.
    let instant: ContinuousClock.Instant

    private var values: [String: [(labels: [String: String], value: Double)]] = [:]

    /// Reads the text format of Prometheus as our responder writes it.
    init(_ text: Substring, at instant: ContinuousClock.Instant) {
        self.instant = instant
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let end = line.lastIndex(of: " "), let value = Double(line[end...].dropFirst())
            else { continue }
            let name = line[..<end].prefix { $0 != "{" }
            let labels = Self.labels(line[..<end].dropFirst(name.count))
            values[String(name), default: []].append((labels, value))
        }
    }

    /// The labels of `{name="value",…}`; ours never contain escapes.
    private static func labels(_ text: Substring) -> [String: String] {
        let pairs = text.dropFirst().dropLast().split(separator: "\",").map { pair in
            pair.split(separator: "=\"", maxSplits: 1).map { $0.filter { $0 != "\"" } }
        }
        return Dictionary(pairs.filter { $0.count == 2 }.map { ($0[0], $0[1]) }) { $1 }
    }

    /// The value with these labels, or the first; nil when there is none.
    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        values[name]?.first { sample in labels.allSatisfy { sample.labels[$0.key] == $0.value } }?
            .value
    }

    /// The labels of the first sample.
    func labels(_ name: String) -> [String: String] { values[name]?.first?.labels ?? [:] }

    /// The distinct values of a label, in order of first appearance.
    func values(of label: String, in name: String) -> [String] {
        var seen: Set<String> = []
        return (values[name] ?? []).compactMap { $0.labels[label] }
            .filter { seen.insert($0).inserted }
    }

    /// The sum of the values whose labels `isIncluded`.
    func sum(_ name: String, where isIncluded: ([String: String]) -> Bool) -> Double {
        (values[name] ?? []).filter { isIncluded($0.labels) }.reduce(0) { $0 + $1.value }
    }
}

/// The changes between two reads.
struct MetricChanges {
    let before: MetricSamples
    let now: MetricSamples

    /// Excludes the requests of `top` itself.
    static func isCounted(_ labels: [String: String]) -> Bool { labels["route"] != "/metrics" }

    /// How much a counter has grown; a smaller value means that it was reset.
    func growth(
        _ name: String, where isIncluded: ([String: String]) -> Bool = isCounted
    ) -> Double {
        let (old, new) = (before.sum(name, where: isIncluded), now.sum(name, where: isIncluded))
        return new < old ? new : new - old
    }

    /// `growth` per second.
    func rate(_ name: String, where isIncluded: ([String: String]) -> Bool = isCounted) -> Double {
        growth(name, where: isIncluded) / seconds
    }

    /// The seconds between the two reads.
    var seconds: Double { (now.instant - before.instant) / .seconds(1) }

    /// The duration that a share of the requests did not exceed, in seconds, interpolated in its
    /// bucket as Prometheus does; nil without requests, infinite above the last bound.
    func quantile(
        _ share: Double, where isIncluded: ([String: String]) -> Bool = isCounted
    ) -> Double? {
        let name = "orbital_request_duration_seconds_bucket"
        let bounds = now.values(of: "le", in: name)
        let counts = bounds.map { bound in growth(name) { isIncluded($0) && $0["le"] == bound } }
        guard let total = counts.last, total > 0 else { return nil }
        let rank = share * total
        guard let index = counts.firstIndex(where: { $0 >= rank }),
            let upper = bounds[index] == "+Inf" ? .infinity : Double(bounds[index])
        else { return nil }
        if upper == .infinity { return upper }
        let lower = index == 0 ? 0 : Double(bounds[index - 1]) ?? 0
        let below = index == 0 ? 0 : counts[index - 1]
        return lower + (upper - lower) * (rank - below) / max(1, counts[index] - below)
    }
}
