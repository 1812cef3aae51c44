import Foundation
import TestSupport
import Testing

/// Whatever dies, refuses, or comes back too late: the ledger of those who asked agrees with what became of it.
@Suite("The crash matrix")
struct CrashMatrixTests {
    @Test("in spite of", arguments: CrashMatrix.chosen)
    func holds(_ crashCase: CrashCase) async throws {
        let row: MatrixRow
        do {
            row = try await crashCase.takingTurns()
        } catch {
            MatrixRow.report("\(crashCase.name)\t\(crashCase.fault)\t0\t\t\t\t\t\tFAILED\t\t")
            throw error
        }
        MatrixRow.report(row.line)
        #expect(row.audit.findings.isEmpty, "\(row.audit.findings.prefix(20))\n\(row.transcripts)")
        #expect(row.orders >= 18, "too little was under way for this to prove anything")
    }

    @Test("without its fault, a case says that nothing fired", arguments: CrashMatrix.controls)
    func control(_ crashCase: CrashCase) async throws {
        let error = await #expect(throws: FaultDidNotFire.self) {
            _ = try await crashCase.takingTurns(disarmed: true)
        }
        MatrixRow.report(
            "control: \(crashCase.name)\tnone\t0\t\t\t\t\t\t\(error == nil ? "MISSED" : "noticed")\t\tFaultDidNotFire")
    }

    @Test("with a protection taken away, the ledger finds out", arguments: Sabotage.chosen)
    func sabotage(_ sabotage: Sabotage) async throws {
        let row = try await sabotage.crashCase.takingTurns(awaiting: sabotage.finding)
        let found = row.audit.findings.count { $0.kind == sabotage.finding }
        // One order was tampered with: it is found, and not half of everything with it.
        #expect((1...8).contains(found), "\(row.audit.findings.prefix(20))\n\(row.transcripts)")
        let noticed = (1...8).contains(found) ? "noticed" : "MISSED"
        MatrixRow.report(
            "control: \(sabotage.crashCase.name)\t\(sabotage.crashCase.fault)\t\(row.fired)\t\(row.orders)\t\t\t\t\t"
                + "\(noticed)\t\(row.took.components.seconds)\t\(sabotage.finding.rawValue)")
    }
}
