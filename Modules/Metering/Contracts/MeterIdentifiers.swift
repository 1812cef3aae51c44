public import Kernel

public enum MeterKind {}
public typealias MeterID = Identifier<MeterKind>
