import Configuration
import FastCGI
import HTTP
import Logging
import Metrics
import UsageAPI
import UsageStore

/// Handles exchanges one at a time; the only place where errors become responses.
struct Responder {
    private var service: Service
    private let log: Logger
    private let router: Router<Principal, Service>
    private let server: Server?
    private let metrics: ProcessMetrics
    private let account = Account()
    private let slowMilliseconds: Int
    private let workerCount: Int

    /// `server` is nil in a CGI process.
    init(
        _ generation: Generation, server: Server?, metrics: ProcessMetrics, log: Logger
    ) {
        let settings = generation.settings
        let store = UsageStore(
            databaseURL: settings.databaseURL, applicationName: "orbital-fcgi",
            waitSeconds: settings.databaseWaitSeconds, shared: generation.shared)
        service = Service(
            store: store, cache: generation.cache, cacheSeconds: settings.cacheSeconds,
            isKeyed: settings.access == .keyed, metrics: metrics.service)
        router = Router(
            routes + [metricsRoute(metrics, server, generation.shared.admission)])
        self.server = server
        self.metrics = metrics
        slowMilliseconds = settings.slowMilliseconds
        workerCount = settings.workers
        self.log = log
    }

    /// Responds to the request of `exchange`, whatever happens.
    mutating func respond(to exchange: any Exchange) {
        account.open(arrival: exchange.arrival)
        service.store.begin(arrival: exchange.arrival, watching: exchange.clientDescriptor)
        service.isDraining = server?.isDraining ?? false
        let request = Request(exchange)
        defer {
            service.store.release()
            if let granted = service.store.learnedGrant {
                log.warning(
                    "PostgreSQL grants fewer connections than workers; requests wait for one",
                    metadata: [
                        "granted": "\(granted)", "workers": "\(workerCount)",
                        "remedy": "\(UsageStore.connectionRemedy)",
                    ])
            }
            account.close()
            metrics.add(account, method: request.method, service.store)
            if slowMilliseconds > 0, account.total > .milliseconds(slowMilliseconds) {
                log.warning("slow request", metadata: phases(of: request))
            }
            log.debug("request", metadata: phases(of: request).merging(work) { $1 })
        }
        do {
            try handle(request, over: exchange)
        } catch let problem as Problem {
            send(problem, to: request, over: exchange)
        } catch let refusal as AdmissionRefused {
            let problem = Problem.unavailable(refusal.description, retryAfterSeconds: 1)
            send(problem, to: request, over: exchange)
        } catch let error as DatabaseUnavailable {
            service.store.noteFailure()
            metrics.databaseFailures.add()
            log.error("database unavailable", metadata: request.metadata(error))
            let problem = Problem.unavailable(
                "The database is unavailable.", retryAfterSeconds: 1)
            send(problem, to: request, over: exchange)
        } catch let error as TokenizerUnavailable {
            metrics.tokenizerFailures.add()
            log.error("tokenizer unavailable", metadata: request.metadata(error))
            let problem = Problem.unavailable(
                "The server lacks the vocabulary of the tokenizer \(error.tokenizer). Retry later.",
                retryAfterSeconds: 30)
            send(problem, to: request, over: exchange)
        } catch {
            if exchange.isClientGone { return exchange.abort() }
            service.store.noteFailure()
            log.error("request failed", metadata: request.metadata(error))
            send(Problem(.internalServerError, "Internal error."), to: request, over: exchange)
        }
    }

    private func handle(_ request: Request, over exchange: any Exchange) throws {
        let (number, route) = try router.match(for: request)
        account.route = number
        guard let action = try route.action(for: request.method) else {
            return send(route.options, to: request, over: exchange)
        }
        let principal = try service.authorise(request, action.scope)
        var response = try action.handle(request, principal, service)
        if action.scope != nil, request.method != Method.post.rawValue {
            response.fields.append(("Server-Timing", serverTiming))
        }
        send(response, to: request, over: exchange)
    }

    /// The time of each phase so far (https://www.w3.org/TR/server-timing/).
    private var serverTiming: String {
        let (queue, database) = (account.queueWait, service.store.waited)
        return "queue;dur=\(queue.decimalMilliseconds), db;dur=\(database.decimalMilliseconds)"
    }

    private func send(_ problem: Problem, to request: Request, over exchange: any Exchange) {
        let response = problem.response(
            instance: request.pathPrefix + request.path, requestID: request.requestID)
        send(response, to: request, over: exchange)
    }

    /// Sends the response; after its first byte, a failure can only abort it.
    private func send(_ response: Response, to request: Request, over exchange: any Exchange) {
        for cause in response.causes { log.error("unhealthy", metadata: ["cause": "\(cause)"]) }
        account.begin(response)
        do {
            if case .bytes = response.body {
                service.store.beginResponse(isWhole: true)
            } else {
                service.store.beginResponse(isWhole: false)
            }
            let head = response.head
            try write(head.span, to: exchange)
            guard request.method != Method.head.rawValue else { return }
            switch response.body {
            case .bytes(let bytes): try write(bytes.span, to: exchange)
            case .stream(let produce):
                let writer = BodyWriter { try write($0, to: exchange) }
                try produce(writer)
                try writer.flush()
            }
        } catch {
            let isClientGone = exchange.isClientGone
            // Before the client can see the aborted response.
            if !isClientGone { service.store.noteFailure() }
            exchange.abort()
            (isClientGone ? metrics.brokenByClients : metrics.brokenByUs).add()
            let level: Logger.Level = isClientGone ? .debug : .error
            log.log(level: level, "response aborted", metadata: request.metadata(error))
        }
    }

    /// The phases of a request, for log lines.
    private func phases(of request: Request) -> Logger.Metadata {
        var phases: Logger.Metadata = [
            "request_id": "\(request.requestID)",
            // Neither may contain text from the client.
            "method": "\(Method(rawValue: request.method)?.rawValue ?? "other")",
            "route": "\(metrics.requests[account.route ?? metrics.requests.count - 1].route)",
            "queue_ms": .stringConvertible(account.queueWait.milliseconds),
            "database_ms": .stringConvertible(service.store.waited.milliseconds),
            "total_ms": .stringConvertible(account.total.milliseconds),
            "bytes": .stringConvertible(account.byteCount),
        ]
        guard let firstByte = account.firstByte else { return phases }
        phases["status"] = .stringConvertible(account.status)
        phases["first_byte_ms"] = .stringConvertible(firstByte.milliseconds)
        return phases
    }

    /// How a request used the cache and PostgreSQL.
    private var work: Logger.Metadata {
        var work: Logger.Metadata = [
            "commands": .stringConvertible(service.store.commandCount),
            "connects": .stringConvertible(service.store.connections.opened),
            "disconnects": .stringConvertible(service.store.connections.closed),
        ]
        let statements = service.store.statements
        if !statements.isEmpty { work["statements"] = "\(statements)" }
        if let admission = service.store.admission {
            work["admission"] = "\(admission)"
            work["admission_ms"] = .stringConvertible(service.store.admissionWait.milliseconds)
        }
        if let origin = account.origin { work["source"] = "\(origin)" }
        return work
    }

    private func write(_ bytes: Span<UInt8>, to exchange: any Exchange) throws {
        try exchange.write(bytes)
        account.byteCount += bytes.count
    }
}

extension Request {
    /// The fields of a log line about a failed request; not the query, which may contain names.
    fileprivate func metadata(_ error: any Error) -> Logger.Metadata {
        [
            "request_id": "\(requestID)", "method": "\(method)", "path": "\(path)",
            "error": "\(error)",
        ]
    }
}

extension Duration {
    fileprivate var milliseconds: Int { microseconds / 1000 }

    /// With three decimals.
    fileprivate var decimalMilliseconds: String {
        let rest = String(microseconds % 1000)
        return "\(milliseconds)." + String(repeating: "0", count: 3 - rest.count) + rest
    }
}
