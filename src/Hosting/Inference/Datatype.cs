using System.Collections.Frozen;

namespace Millrace.Hosting.Inference;

/// <summary>The protocol's tensor datatypes. The numbers are stored with job inputs: never renumber.</summary>
public enum Datatype : byte
{
    Bool = 1,
    Int8 = 2,
    Int16 = 3,
    Int32 = 4,
    Int64 = 5,
    Uint8 = 6,
    Uint16 = 7,
    Uint32 = 8,
    Uint64 = 9,
    Fp16 = 10,
    Bf16 = 11,
    Fp32 = 12,
    Fp64 = 13,
    Bytes = 14,
}

public static class Datatypes
{
    private static readonly FrozenDictionary<string, Datatype> ByName =
        Enum.GetValues<Datatype>().ToFrozenDictionary(d => d.ToString().ToUpperInvariant(), StringComparer.Ordinal);

    private static readonly FrozenDictionary<Datatype, string> Names = ByName.ToFrozenDictionary(p => p.Value, p => p.Key);

    /// <summary>The name on the wire, as FP32.</summary>
    public static string Name(this Datatype datatype) => Names[datatype];

    public static bool TryParse(string name, out Datatype datatype) => ByName.TryGetValue(name, out datatype);

    /// <summary>Bytes per element; 0 for BYTES, whose elements differ in length.</summary>
    public static int ElementSize(this Datatype datatype) => datatype switch
    {
        Datatype.Bool or Datatype.Int8 or Datatype.Uint8 => 1,
        Datatype.Int16 or Datatype.Uint16 or Datatype.Fp16 or Datatype.Bf16 => 2,
        Datatype.Int32 or Datatype.Uint32 or Datatype.Fp32 => 4,
        Datatype.Int64 or Datatype.Uint64 or Datatype.Fp64 => 8,
        _ => 0,
    };
}
