import Encoding
import HTTP
import MessageReader
import Usage
import UsageStore

/// `POST /usage/estimate`: the credits and receipts of messages, without recording them.
func estimate(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    try request.refuseParameters()
    let body = try MessageBody(request, within: principal.bounds)
    let messages = body.items.compactMap(\.message)
    let estimates = try service.store.estimates(messages)
    let uses = try service.budgets(of: messages, principal)
    var json = JSONWriter()
    if body.isSingle, let item = body.items.first {
        guard let estimate = estimates.first, let credits = estimate.credits else {
            throw Problem(
                .unprocessableContent, "The message cannot be priced.",
                faults: item.faults(estimates.first))
        }
        json.object {
            $0.members(ofEstimate: credits, estimate.receipt)
            $0.budgets(uses, item.record, credits)
        }
    } else {
        json.object { json in
            json.name("results")
            json.array { json in write(body.items, estimates, uses, to: &json) }
        }
    }
    return .json(json)
}

private func write(
    _ items: [MessageItem], _ estimates: [UsageStore.Estimate], _ uses: [BudgetUse],
    to json: inout JSONWriter
) {
    var rest = estimates[...]
    for (index, item) in items.enumerated() {
        let estimate = item.message == nil ? nil : rest.popFirst()
        json.object { json in
            json.member("index", literal: String(index))
            if let estimate, let credits = estimate.credits {
                json.member("status", "estimated")
                json.members(ofEstimate: credits, estimate.receipt)
                json.budgets(uses, item.record, credits)
            } else {
                json.member("status", "invalid")
                json.errors(item.faults(estimate))
            }
        }
    }
}

extension Service {
    /// The budgets that messages with a user or a team may count for, as far as `principal` sees them.
    fileprivate func budgets(
        of messages: [UsageRecord], _ principal: Principal
    ) throws -> [BudgetUse] {
        guard messages.contains(where: \.hasUserOrTeam) else { return [] }
        let targets = principal.budgetTargets ?? messages.budgetTargets
        let snapshot = try store.snapshot(within: principal.bounds.filter)
        try snapshot.prepareForSums()
        do {
            return try snapshot.budgets(BudgetChoice(targets: targets), at: .now)
        } catch is SumsClosed {
            return []
        }
    }
}

extension [UsageRecord] {
    /// Everybody, and the users and teams of the messages; nil for all if they are many.
    fileprivate var budgetTargets: [Budget.Target]? {
        let users = Set(compactMap(\.attribution.userID))
        let teams = Set(compactMap(\.attribution.teamID))
        guard users.count + teams.count <= 100 else { return nil }
        return [.everybody] + users.map { .user($0) } + teams.map { .team($0) }
    }
}

extension UsageRecord {
    fileprivate var hasUserOrTeam: Bool {
        attribution.userID != nil || attribution.teamID != nil
    }
}

extension JSONWriter {
    /// Writes what a message of these credits leaves of the budgets that it counts for, if there are any.
    fileprivate mutating func budgets(
        _ uses: [BudgetUse], _ message: UsageRecord, _ credits: Credits
    ) {
        guard message.hasUserOrTeam else { return }
        let touched = uses.filter { $0.counts(message) }
        if touched.isEmpty { return }
        name("budgets")
        array { json in
            for use in touched {
                json.object { json in
                    let left = use.remainingHundredths
                    json.member("name", use.budget.name)
                    json.member("remaining", literal: Credits.text(hundredths: left))
                    json.member(
                        "remaining_after",
                        literal: Credits.text(hundredths: left - Int128(credits.hundredths)))
                }
            }
        }
    }

    fileprivate mutating func members(ofEstimate credits: Credits, _ receipt: Receipt) {
        member("credits_used", literal: credits.description)
        member(receipt)
    }
}

extension MessageItem {
    /// The faults of a message that has no price.
    fileprivate func faults(_ estimate: UsageStore.Estimate?) -> [Problem.Fault] {
        faults.isEmpty ? [(estimate?.refusal ?? .unpriced).fault] : problemFaults
    }
}
