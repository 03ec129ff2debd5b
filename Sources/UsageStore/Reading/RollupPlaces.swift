import Usage

/// Finds the part of a cover that contains an instant.
struct RollupPlaces {
    /// The column `n`: the number of the last part that begins before.
    let number: String

    /// Whether the instant is in that part.
    let isInside: String

    /// Whether the instant is between the first part and the last one, which is a range of an index.
    let isBetween: String

    /// The column `bucket`.
    let bucket: String

    init(_ parts: [RollupCover.Part], _ column: String, _ bindings: inout Bindings) {
        let starts = bindings.bind(parts.map(\.range.lowerBound))
        number = "width_bucket(\(column), \(starts)) AS n"
        guard let first = parts.first, let last = parts.last else {
            isBetween = "false"
            isInside = "false"
            bucket = "n AS bucket"
            return
        }
        isBetween = """
            \(column) >= \(bindings.bind(first.range.lowerBound)) \
            AND \(column) < \(bindings.bind(last.range.upperBound))
            """
        let isWithoutGaps = zip(parts, parts.dropFirst()).allSatisfy {
            $0.range.upperBound == $1.range.lowerBound
        }
        if isWithoutGaps, parts.map(\.number) == Array(1...parts.count) {
            isInside = isBetween
            bucket = "n AS bucket"
        } else {
            let ends = bindings.bind(parts.map(\.range.upperBound))
            let buckets = bindings.bind(numbers: parts.map { Int64($0.number) })
            isInside = "n > 0 AND \(column) < (\(ends))[n]"
            bucket = "(\(buckets))[n] AS bucket"
        }
    }
}
