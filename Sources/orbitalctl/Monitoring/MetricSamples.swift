/// The samples of one look at `GET /metrics`.
struct MetricSamples {
    /// When they were taken.
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

    /// The labels of `{name="value",…}`; ours hold nothing that would be escaped.
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

    /// The values of a label, in the order in which they come.
    func values(of label: String, in name: String) -> [String] {
        var seen: Set<String> = []
        return (values[name] ?? []).compactMap { $0.labels[label] }
            .filter { seen.insert($0).inserted }
    }

    /// The sum of the values whose labels `isWanted`.
    func sum(_ name: String, where isWanted: ([String: String]) -> Bool) -> Double {
        (values[name] ?? []).filter { isWanted($0.labels) }.reduce(0) { $0 + $1.value }
    }
}

/// What changed between two looks.
struct MetricChanges {
    let before: MetricSamples
    let now: MetricSamples

    /// What the responder's own looks add is left out.
    static func isCounted(_ labels: [String: String]) -> Bool { labels["route"] != "/metrics" }

    /// How much a counter has grown; one that has become smaller began anew.
    func growth(
        _ name: String, where isWanted: ([String: String]) -> Bool = isCounted
    ) -> Double {
        let (old, new) = (before.sum(name, where: isWanted), now.sum(name, where: isWanted))
        return new < old ? new : new - old
    }

    /// As `growth`, for a second.
    func rate(_ name: String, where isWanted: ([String: String]) -> Bool = isCounted) -> Double {
        growth(name, where: isWanted) / seconds
    }

    /// The seconds between the two looks.
    var seconds: Double { (now.instant - before.instant) / .seconds(1) }

    /// The duration that a share of the requests did not exceed, in seconds, interpolated in its
    /// bucket as Prometheus does; nil without requests, infinite above the last bound.
    func quantile(
        _ share: Double, where isWanted: ([String: String]) -> Bool = isCounted
    ) -> Double? {
        let name = "orbital_request_duration_seconds_bucket"
        let bounds = now.values(of: "le", in: name)
        let counts = bounds.map { bound in growth(name) { isWanted($0) && $0["le"] == bound } }
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
