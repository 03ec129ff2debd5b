import HTTP
import Usage
import UsageStore

/// The parameters that filter records; the same for records, sums and attributions.
struct FilterParameters {
    /// The resulting filter.
    var filter = UsageFilter()

    /// The time zone of dates in the query and in the response.
    private(set) var zone = "UTC"

    private static let valueCountLimit = 100
    private static let tagValueLimit = 200

    /// Takes them from `parameters` and adds them to `query`.
    init(
        _ parameters: inout Parameters, _ query: inout NormalisedQuery, _ store: UsageStore
    ) throws {
        let isKnown = try takeZone(&parameters, store)
        query.add("tz", zone)
        (filter.from, filter.to) = try range(
            "from", "to", &parameters, &query, isKnown ? store : nil)
        for column in UsageRecord.Column.all where column.isFilterable {
            let values = Self.values(of: column, &parameters)
            if !values.isEmpty { filter.texts.append((column, values)) }
            values.forEach { query.add(column.name, $0) }
        }
        filter.hasReport = parameters.flag("has_report")
        query.add("has_report", filter.hasReport)
        filter.isCorrection = parameters.flag("is_correction")
        query.add("is_correction", filter.isCorrection)
        takeTags(&parameters, &query)
        takeExternalID(&parameters, &query)
        (filter.recordedFrom, filter.recordedTo) = try range(
            "recorded_from", "recorded_to", &parameters, &query, isKnown ? store : nil)
        takeCredits(&parameters, &query)
    }

    /// Takes two bounds; their instants if the time zone is known, and `store` is given.
    private func range(
        _ first: String, _ end: String, _ parameters: inout Parameters,
        _ query: inout NormalisedQuery, _ store: UsageStore?
    ) throws -> (Timestamp?, Timestamp?) {
        let from = bound(first, &parameters, &query)
        let to = bound(end, &parameters, &query)
        guard let store else { return (nil, nil) }
        let instants = try (
            from.map { try store.instant(of: $0, in: zone) },
            to.map { try store.instant(of: $0, in: zone) }
        )
        if let from = instants.0, let to = instants.1, from > to {
            parameters.fault(first, .reversed, "\(first) is after \(end).")
        }
        return instants
    }

    private mutating func takeTags(
        _ parameters: inout Parameters, _ query: inout NormalisedQuery
    ) {
        for text in Self.distinct("tag", &parameters) {
            guard let tag = AttributionPart.tag(text),
                tag.value.unicodeScalars.count <= Self.tagValueLimit
            else {
                parameters.fault(
                    "tag", .malformed,
                    """
                    tag=\(text.prefix(100)) must be KEY:VALUE, such as env:prod; a key has 1 to 64 \
                    of A-Z, a-z, 0-9, _, . and -, a value at most \(Self.tagValueLimit) characters.
                    """)
                continue
            }
            filter.tags.append(tag)
            query.add("tag", text)
        }
    }

    private mutating func takeExternalID(
        _ parameters: inout Parameters, _ query: inout NormalisedQuery
    ) {
        let column = UsageRecord.Column.externalID
        guard let value = parameters.value(column.name) else { return }
        if let fault = column.faults(value).first {
            parameters.fault(column.name, .malformed, fault.message)
        }
        filter.texts.append((column, [value]))
        query.add(column.name, value)
    }

    private mutating func takeCredits(
        _ parameters: inout Parameters, _ query: inout NormalisedQuery
    ) {
        let expected = "a number with at most two decimals, such as 15.60"
        filter.minimumCredits = parameters.value(
            "min_credits", expected: expected, Credits.init(_:))
        filter.maximumCredits = parameters.value(
            "max_credits", expected: expected, Credits.init(_:))
        if let minimum = filter.minimumCredits, let maximum = filter.maximumCredits,
            minimum > maximum
        {
            parameters.fault("min_credits", .reversed, "min_credits is greater than max_credits.")
        }
        query.add("min_credits", filter.minimumCredits)
        query.add("max_credits", filter.maximumCredits)
    }

    private func bound(
        _ name: String, _ parameters: inout Parameters, _ query: inout NormalisedQuery
    ) -> PeriodBound? {
        let bound = parameters.value(
            name,
            expected:
                "a date such as 2024-01-31 or an RFC 3339 time with an offset (+ is %2B in a URL)",
            PeriodBound.init)
        query.add(name, bound.map { "\($0)" })
        return bound
    }

    /// Takes the time zone; false if it is unknown.
    private mutating func takeZone(
        _ parameters: inout Parameters, _ store: UsageStore
    ) throws -> Bool {
        guard let name = parameters.value("tz") else { return true }
        if try store.isZone(name) {
            zone = name
            return true
        }
        let similar = try store.zone(like: name).map { " Did you mean \($0)?" } ?? ""
        parameters.fault(
            "tz", .unknownTimeZone,
            "tz must be an IANA time zone, such as Europe/London.\(similar)")
        return false
    }

    /// The values of `column` that match, sorted, without duplicates.
    private static func values(
        of column: UsageRecord.Column, _ parameters: inout Parameters
    ) -> [String] {
        let values = distinct(column.name, &parameters)
        // Of an attribution, an empty value means "without".
        let texts = values.filter { column.table == .record || !$0.isEmpty }
        if let fault = texts.lazy.flatMap(column.faults).first {
            parameters.fault(column.name, .malformed, fault.message)
        }
        return values
    }

    /// The values of a parameter that may be repeated, sorted, without duplicates.
    private static func distinct(_ name: String, _ parameters: inout Parameters) -> [String] {
        let given = parameters.values(name)
        // By bytes: canonically equivalent strings are equal in Swift, but not in PostgreSQL.
        let values = Set(given.map { Array($0.utf8) }).sorted { $0.lexicographicallyPrecedes($1) }
            .map { String(decoding: $0, as: UTF8.self) }
        if given.count > valueCountLimit {
            parameters.fault(
                name, .tooMany, "At most \(valueCountLimit) values of \(name) are allowed.")
        }
        return Array(values.prefix(valueCountLimit))
    }
}
