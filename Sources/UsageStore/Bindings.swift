public import Usage

/// The parameter values of a statement, whose text has `$1`, `$2` and so on.
struct Bindings {
    /// The values in order, as PostgreSQL parses them.
    private(set) var values: [String] = []

    /// Adds a value; returns its placeholder.
    mutating func bind(_ value: String, as type: String) -> String {
        values.append(value)
        return "$\(values.count)::\(type)"
    }

    mutating func bind(_ number: Int64) -> String { bind(String(number), as: "bigint") }

    mutating func bind(_ timestamp: Timestamp) -> String {
        bind(timestamp.description, as: "timestamptz")
    }

    mutating func bind(_ timestamps: [Timestamp]) -> String {
        let list = timestamps.map { "\"\($0)\"" }.joined(separator: ",")
        return bind("{\(list)}", as: "timestamptz[]")
    }
}

extension UsageFilter {
    /// The conditions in SQL.
    func conditions(_ bindings: inout Bindings) -> [String] {
        var conditions: [String] = []
        func add(_ column: UsageRecord.Column, _ condition: String) {
            conditions.append("\(column.sql) \(condition)")
        }
        if let from { add(.timestamp, ">= \(bindings.bind(from))") }
        if let to { add(.timestamp, "< \(bindings.bind(to))") }
        for (column, values) in texts where !values.isEmpty {
            let list = values.map { bindings.bind($0, as: "text") }.joined(separator: ", ")
            add(column, "IN (\(list))")
        }
        if let hasReport { add(.reportName, hasReport ? "IS NOT NULL" : "IS NULL") }
        if let minimumCredits {
            add(.creditsUsed, ">= \(bindings.bind(minimumCredits.hundredths))")
        }
        if let maximumCredits {
            add(.creditsUsed, "<= \(bindings.bind(maximumCredits.hundredths))")
        }
        return conditions + others.flatMap { $0.conditions(&bindings) }
    }

    /// The conditions and their values: equal only for filters that match the same records; empty if
    /// all records match.
    public var fingerprint: String {
        var bindings = Bindings()
        return (conditions(&bindings) + bindings.values).joined(separator: "\0")
    }
}

/// `conditions` as a WHERE clause; empty if there are none.
func whereClause(_ conditions: [String]) -> String {
    conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
}
