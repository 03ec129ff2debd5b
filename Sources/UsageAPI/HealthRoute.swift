import Encoding
import HTTP
import Usage
import UsageStore

// Monitors add parameters to bypass caches, so the query is ignored.

/// `GET /health`: whether the service can handle requests, for monitoring.
func health(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    healthResponse(service.store.healthChecks())
}

/// `GET /health/live`: whether the process responds; queries no database.
func live(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    healthResponse([])
}

/// `GET /health/ready`: like `/health`, but also unhealthy while the process is shutting down, or
/// if a tokenizer of the price list cannot be loaded.
func ready(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    let fault = service.isDraining ? "The service is shutting down." : nil
    let process = HealthCheck(name: "process", fault: fault)
    return healthResponse([process] + service.store.readinessChecks())
}

private func healthResponse(_ checks: [HealthCheck]) -> Response {
    let isHealthy = checks.allSatisfy { $0.fault == nil }
    var json = JSONWriter()
    json.object { json in
        json.member("status", isHealthy ? "healthy" : "unhealthy")
        json.member("timestamp", Timestamp.now.wholeSeconds.description)
        if !isHealthy {
            json.name("checks")
            json.array { json in
                for check in checks {
                    json.object { json in
                        json.member("name", check.name)
                        json.member("status", check.fault == nil ? "healthy" : "unhealthy")
                        if let fault = check.fault { json.member("message", fault) }
                    }
                }
            }
        }
    }
    var response = Response.json(json, isHealthy ? .ok : .serviceUnavailable)
    response.causes = checks.compactMap(\.cause)
    if !isHealthy { response.fields.append(("Retry-After", "1")) }
    return response
}
