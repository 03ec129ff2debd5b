import Encoding
import HTTP
import Usage
import UsageStore

/// `GET /budgets`: the budgets in force, with what was used in their current periods.
func budgets(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    try budgets(request, principal, service, named: nil)
}

/// `GET /budgets/{name}`: the same for one name.
func budget(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    let name = request.path.dropFirst("/budgets/".count)
    return try budgets(request, principal, service, named: String(name))
}

private func budgets(
    _ request: Request, _ principal: Principal, _ service: Service, named name: String?
) throws -> Response {
    var parameters = Parameters(request)
    var choice = BudgetChoice()
    choice.name = name
    choice.targets = principal.budgetTargets
    choice.hasEnded = parameters.flag("ended") ?? false
    try parameters.end()
    // Periods begin, and projections change, with a minute. A budget that begins or ends in a minute
    // does so for all of it.
    let minute = Timestamp.now.endOfMinute
    var query = NormalisedQuery(request.path, principal)
    query.add("ended", choice.hasEnded)
    query.add("minute", minute)
    return try service.revalidated(request, principal, query) { snapshot, isBodySent in
        try snapshot.prepareForSums()
        let uses = try snapshot.budgets(choice, at: minute)
        if let name, uses.isEmpty {
            throw Problem(
                .notFound,
                "No budget \(name) is in force; ended=true also shows those that have ended.")
        }
        var json = JSONWriter()
        if isBodySent { json.object { $0.budgets(uses, at: minute) } }
        let bytes = json.bytes
        return Representation(
            contentType: "application/json", body: .stream { try $0.append(bytes) })
    }
}

extension Principal {
    /// Whose budgets it may see; nil for all.
    ///
    /// A bound key sees those of exactly the records that it sees.
    var budgetTargets: [Budget.Target]? {
        if bounds.isEmpty { return nil }
        guard bounds.tags.isEmpty else { return [] }
        switch (bounds.userID, bounds.teamID) {
        case (let user?, nil): return [.user(user)]
        case (nil, let team?): return [.team(team)]
        default: return []
        }
    }
}

extension JSONWriter {
    /// Writes the member `budgets`, with projections at `instant`.
    fileprivate mutating func budgets(_ uses: [BudgetUse], at instant: Timestamp) {
        name("budgets")
        array { json in
            for use in uses { json.object { $0.members(of: use, at: instant) } }
        }
    }
}
