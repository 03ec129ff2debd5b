import HTTP
import Usage
import UsageStore

/// The parameters that filter records by time and by text; the same for records and sums.
struct FilterParameters {
    /// The resulting filter.
    var filter = UsageFilter()

    /// The time zone of dates in the query and in the response.
    private(set) var zone = "UTC"

    private static let valueCountLimit = 100

    /// Takes them from `parameters` and adds them to `query`.
    init(
        _ parameters: inout Parameters, _ query: inout NormalisedQuery, _ store: UsageStore
    ) throws {
        let isKnown = try takeZone(&parameters, store)
        query.add("tz", zone)
        let from = bound("from", &parameters, &query)
        let to = bound("to", &parameters, &query)
        if isKnown {
            filter.from = try from.map { try instant($0, store) }
            filter.to = try to.map { try instant($0, store) }
        }
        if let from = filter.from, let to = filter.to, from > to {
            parameters.fault("from", .reversed, "from is after to.")
        }
        for column in UsageRecord.Column.all where column.isFilterable {
            let values = Self.values(of: column, &parameters)
            if !values.isEmpty { filter.texts.append((column, values)) }
            values.forEach { query.add(column.name, $0) }
        }
        filter.hasReport = parameters.flag("has_report")
        query.add("has_report", filter.hasReport)
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

    private func instant(_ bound: PeriodBound, _ store: UsageStore) throws -> Timestamp {
        switch bound {
        case .instant(let instant): return instant
        case .day(let date):
            let midnight = Timestamp(microseconds: date.daysSince1970 * 86_400_000_000)
            let start = try store.offsets(of: zone, from: midnight, to: midnight).start(of: date)
            // In a zone ahead of UTC, year 1 begins earlier than in UTC.
            return max(start, Timestamp.representable.lowerBound)
        }
    }

    /// The values of `column` that match, sorted, without duplicates.
    private static func values(
        of column: UsageRecord.Column, _ parameters: inout Parameters
    ) -> [String] {
        let given = parameters.values(column.name)
        // By bytes: canonically equivalent strings are equal in Swift, but not in PostgreSQL.
        let distinct = Set(given.map { Array($0.utf8) })
        let values = distinct.sorted { $0.lexicographicallyPrecedes($1) }
            .map { String(decoding: $0, as: UTF8.self) }
        if let fault = values.lazy.flatMap(column.faults).first {
            parameters.fault(column.name, .malformed, fault.message)
        }
        if given.count > valueCountLimit {
            parameters.fault(
                column.name, .tooMany,
                "At most \(valueCountLimit) values of \(column.name) are allowed.")
        }
        return Array(values.prefix(valueCountLimit))
    }
}
