import Kernel
import Testing

@Suite("Correlation and trace context")
struct CorrelationTests {
    private let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("a traceparent is read and written unchanged")
    func roundTrip() throws {
        let trace = try #require(TraceParent(header))
        #expect(trace.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(trace.parentID == "00f067aa0ba902b7")
        #expect(trace.flags == 1)
        #expect(trace.description == header)
    }

    @Test("of a later version, the parts that level 1 knows are read")
    func laterVersion() throws {
        let trace = try #require(TraceParent("cc" + header.dropFirst(2) + "-what-else"))
        #expect(trace.description == header)
    }

    @Test(
        "what is no traceparent is refused",
        arguments: [
            "", "00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ])
    func refused(text: String) {
        #expect(TraceParent(text) == nil)
    }

    @Test("a child keeps the trace and the flags, and has a span of its own")
    func child() throws {
        let parent = try #require(TraceParent(header.dropLast(2) + "00"))
        let child = parent.child()
        #expect(child.traceID == parent.traceID)
        #expect(child.flags == 0)
        #expect(child.parentID != parent.parentID)
        #expect(TraceParent(child.description) == child)
    }

    @Test("a trace that begins here is well formed, and another each time")
    func random() {
        let traces = (0..<500).map { _ in TraceParent.random() }
        #expect(Set(traces.map(\.traceID)).count == 500)
        #expect(traces.allSatisfy { TraceParent($0.description) == $0 })
    }

    @Test("what an event causes keeps the correlation and names the event")
    func caused() {
        let start = Correlation.new()
        let event: EventID = IdentifierSource.system.next()
        let next = start.caused(by: event)
        #expect(next.id == start.id)
        #expect(next.causation == event)
        #expect(next.trace.traceID == start.trace.traceID)
        #expect(next.trace.parentID != start.trace.parentID)
        #expect(start.causation == nil)
    }
}
