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

    /// Adds several values; returns the list of their placeholders.
    mutating func bind(_ texts: [String]) -> String {
        texts.map { bind($0, as: "text") }.joined(separator: ", ")
    }

    /// Adds several values as an array.
    mutating func bind(array texts: [String]) -> String {
        let list = texts.map { text in
            "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return bind("{\(list.joined(separator: ","))}", as: "text[]")
    }

    /// Adds several numbers as an array.
    mutating func bind(numbers: [Int64]) -> String {
        bind("{\(numbers.map(String.init).joined(separator: ","))}", as: "integer[]")
    }

    mutating func bind(_ timestamps: [Timestamp]) -> String {
        let list = timestamps.map { "\"\($0)\"" }.joined(separator: ",")
        return bind("{\(list)}", as: "timestamptz[]")
    }
}

extension UsageFilter {
    /// The conditions in SQL.
    func conditions(_ bindings: inout Bindings) -> [String] {
        let records = timeConditions(&bindings) + valueConditions(&bindings)
        let attributions = attributionConditions(&bindings)
        guard !attributions.isEmpty else { return records }
        let isOne = "attribution_id IN (\(selectAttributions(attributions)))"
        return records + [matchesUnattributed ? "(attribution_id IS NULL OR \(isOne))" : isOne]
    }

    /// The range of time.
    func timeConditions(_ bindings: inout Bindings) -> [String] {
        let column = UsageRecord.Column.timestamp.sql
        var conditions: [String] = []
        if let from { conditions.append("\(column) >= \(bindings.bind(from))") }
        if let to { conditions.append("\(column) < \(bindings.bind(to))") }
        return conditions + others.flatMap { $0.timeConditions(&bindings) }
    }

    /// The conditions on other columns of the table of records.
    func valueConditions(_ bindings: inout Bindings) -> [String] {
        var conditions: [String] = []
        func add(_ column: UsageRecord.Column, _ condition: String) {
            conditions.append("\(column.sql) \(condition)")
        }
        for (column, values) in texts where column.table == .record && !values.isEmpty {
            add(column, "IN (\(bindings.bind(values)))")
        }
        if let hasReport { add(.reportName, hasReport ? "IS NOT NULL" : "IS NULL") }
        // By the credits, which indexes have: only those of corrections are negative.
        if let isCorrection { add(.creditsUsed, isCorrection ? "< 0" : ">= 0") }
        if let minimumCredits {
            add(.creditsUsed, ">= \(bindings.bind(minimumCredits.hundredths))")
        }
        if let maximumCredits {
            add(.creditsUsed, "<= \(bindings.bind(maximumCredits.hundredths))")
        }
        let own = recordedConditions(&bindings, isOwn: true)
        return conditions + own + others.flatMap { $0.valueConditions(&bindings) }
    }

    /// The range of the time of recording; with `isOwn`, without those of filters it is combined with.
    func recordedConditions(_ bindings: inout Bindings, isOwn: Bool = false) -> [String] {
        let column = UsageRecord.Column.recordedAt.sql
        var conditions: [String] = []
        if let recordedFrom { conditions.append("\(column) >= \(bindings.bind(recordedFrom))") }
        if let recordedTo { conditions.append("\(column) < \(bindings.bind(recordedTo))") }
        return isOwn
            ? conditions : conditions + others.flatMap { $0.recordedConditions(&bindings) }
    }

    /// The conditions on columns of the table of attributions.
    func attributionConditions(_ bindings: inout Bindings) -> [String] {
        var conditions: [String] = []
        for (column, values) in texts where column.table == .attribution && !values.isEmpty {
            conditions.append("\(column.sql) IN (\(bindings.bind(values)))")
        }
        // One condition: PostgreSQL would expect each of many to exclude most attributions.
        let absent = tags.filter(\.value.isEmpty).map { "\"\($0.key)\"" }.joined(separator: ",")
        if !absent.isEmpty {
            conditions.append("NOT tags ?| \(bindings.bind("{\(absent)}", as: "text[]"))")
        }
        for (key, value) in tags where !value.isEmpty {
            let tag = "coalesce(tags ->> \(bindings.bind(key, as: "text")), '')"
            conditions.append("\(tag) = \(bindings.bind(value, as: "text"))")
        }
        return conditions + others.flatMap { $0.attributionConditions(&bindings) }
    }

    /// Whether records without an attribution match the conditions on attributions.
    var matchesUnattributed: Bool {
        texts.allSatisfy {
            $0.column.table == .record || $0.values.isEmpty || $0.values.contains("")
        } && tags.allSatisfy(\.value.isEmpty) && others.allSatisfy(\.matchesUnattributed)
    }

    /// The conditions and their values: equal only for filters that match the same records; empty if
    /// all records match.
    public var fingerprint: String {
        var bindings = Bindings()
        return (conditions(&bindings) + bindings.values).joined(separator: "\0")
    }
}

/// The statement that selects the numbers of the attributions that match.
func selectAttributions(_ conditions: [String]) -> String {
    "SELECT attribution_id FROM usage_attribution \(whereClause(conditions))"
}

/// `conditions` as a WHERE clause; empty if there are none.
func whereClause(_ conditions: [String]) -> String {
    conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
}
