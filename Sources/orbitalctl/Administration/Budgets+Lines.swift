import Encoding
import Usage

extension Budget {
    /// The budget in a list for people.
    var line: String {
        let whose =
            switch target {
            case .everybody: "everybody"
            case .user(let user): "user \(user)"
            case .team(let team): "team \(team)"
            }
        let start = monthStart == 1 ? "" : " from day \(monthStart)"
        let percent = thresholds.map { "\($0)%" }.joined(separator: ", ")
        return "\(name): \(credits) credits for \(whose) each \(every)\(start) in \(zone); reports "
            + "\(percent); \(life)"
    }

    /// Whether its life begins after `time`, and has not been ended before that.
    func begins(after time: Timestamp) -> Bool {
        guard let beginsAt, beginsAt > time else { return false }
        return endsAt.map { $0 > beginsAt } ?? true
    }

    private var life: String {
        let beginning = beginsAt.map { "\($0 > .now ? "begins" : "began") \($0.wholeSeconds)" }
        let end = endsAt.map { "\($0 > .now ? "ends" : "ended") \($0.wholeSeconds)" }
        return [beginning, end].compactMap(\.self).joined(separator: ", ")
    }

    func write(to json: inout JSONWriter) {
        json.member("name", name)
        switch target {
        case .everybody: break
        case .user(let user): json.member("user_id", user)
        case .team(let team): json.member("team_id", team)
        }
        json.member("credits", literal: credits.description)
        json.member("every", every.rawValue)
        json.member("month_start", literal: String(monthStart))
        json.member("tz", zone)
        json.member("begins_at", beginsAt?.description, isQuoted: true)
        json.member("ends_at", endsAt?.description, isQuoted: true)
        json.name("thresholds")
        json.array { json in thresholds.forEach { json.literal(String($0)) } }
    }
}

extension BudgetUse {
    var line: String { "used \(used) (\(percent)%) from \(start) to \(end)" }

    func write(to json: inout JSONWriter) {
        json.member("from", start.description)
        json.member("to", end.description)
        json.member("used", literal: used)
        json.member("percent", literal: percent)
        json.name("crossed")
        json.array { json in crossed.forEach { json.literal(String($0)) } }
    }
}
