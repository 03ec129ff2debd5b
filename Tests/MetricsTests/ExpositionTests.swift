import Metrics
import Testing

@Suite struct `The text for Prometheus` {
    @Test func `has help and kind before the samples`() {
        var text = Exposition()
        text.metric("orbital_queue_length", .gauge, "Requests that wait.", 3)
        text.begin("orbital_messages_total", .counter, "Messages.")
        text.sample([("outcome", "created"), ("n", #"a"b\c"# + "\n")], 0.5)
        #expect(
            text.text == #"""
                # HELP orbital_queue_length Requests that wait.
                # TYPE orbital_queue_length gauge
                orbital_queue_length 3
                # HELP orbital_messages_total Messages.
                # TYPE orbital_messages_total counter
                orbital_messages_total{outcome="created",n="a\"b\\c\n"} 0.5

                """#)
    }

    @Test func `counts requests by route, method and status, and shows what alerts ask for`() {
        let route = RouteMetrics(route: "/usage/{message_id}", methods: ["GET"])
        route.count(method: "GET", status: 200, duration: .zero)
        route.count(method: "GET", status: 304, duration: .zero)
        for method in ["BREW", "PUT", "x\"y"] {
            route.count(method: method, status: 405, duration: .zero)
        }
        route.count(method: "GET", status: 0, duration: .zero)
        route.count(method: "GET", status: 999, duration: .zero)
        let lines = text(of: route).filter { $0.hasPrefix("orbital_requests_total") }
        let name = #"orbital_requests_total{route="/usage/{message_id}",method="#
        #expect(
            lines == [
                name + #""GET",code="200"} 1"#, name + #""GET",code="304"} 1"#,
                name + #""GET",code="500"} 0"#, name + #""GET",code="503"} 0"#,
                name + #""GET",code="none"} 2"#, name + #""other",code="405"} 3"#,
            ])
    }

    @Test func `counts durations by method up to each bound, the bound included`() {
        let route = RouteMetrics(route: "/health", methods: [])
        for duration: Duration in [
            .zero, .microseconds(500), .microseconds(501), .seconds(30), .seconds(31),
        ] {
            route.count(method: "GET", status: 200, duration: duration)
        }
        route.count(method: "POST", status: 200, duration: .seconds(2))
        let lines = text(of: route).filter { $0.contains("duration_seconds") }.dropFirst(2)
        let start = #"orbital_request_duration_seconds_bucket{route="/health",method="GET",le=""#
        #expect(lines.first == start + #"0.0005"} 2"#)
        #expect(lines.contains(start + #"0.001"} 3"#) && lines.contains(start + #"10.0"} 3"#))
        #expect(lines.contains(start + #"30.0"} 4"#) && lines.contains(start + #"+Inf"} 5"#))
        #expect(
            lines.filter { !$0.contains("_bucket") } == [
                #"orbital_request_duration_seconds_sum{route="/health",method="GET"} 61.001001"#,
                #"orbital_request_duration_seconds_count{route="/health",method="GET"} 5"#,
                #"orbital_request_duration_seconds_sum{route="/health",method="POST"} 2.0"#,
                #"orbital_request_duration_seconds_count{route="/health",method="POST"} 1"#,
            ])
    }

    private func text(of route: RouteMetrics) -> [String] {
        var text = Exposition()
        text.requests([route])
        return text.text.split(separator: "\n").map(String.init)
    }
}

@Suite struct `A counter` {
    @Test func `loses nothing when many count at once`() async {
        let counter = Counter()
        await withTaskGroup { group in
            for _ in 1...8 { group.addTask { for _ in 1...1000 { counter.add() } } }
        }
        #expect(counter.total == 8000)
    }
}
