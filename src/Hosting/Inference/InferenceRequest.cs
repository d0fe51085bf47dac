namespace Millrace.Hosting.Inference;

/// <summary>A validated request as it travels to the worker and lies in the store.</summary>
/// <param name="Id">The client's id, to be sent back unchanged; null when it sent none.</param>
/// <param name="Outputs">The outputs asked for, in that order; empty for all.</param>
public sealed record InferenceRequest(string? Id, IReadOnlyList<Tensor> Inputs, IReadOnlyList<RequestedOutput> Outputs)
{
    private const byte FirstFormat = 1; // jobs that were stored before outputs had settings
    private const byte Format = 2;

    /// <summary>All outputs are wanted in binary, where none is asked for by name.</summary>
    public bool AllAsBinary { get; init; }

    /// <summary>Format (1 byte), id, inputs, 1 when all outputs are wanted in binary, names and settings of outputs. Text is UTF-8 after its length (int32;
    /// -1 is null), numbers are little-endian.</summary>
    public byte[] Encode()
    {
        var size = 1 + EncodingWriter.SizeOf(Id) + 4 + 1 + 4;
        foreach (var input in Inputs)
            size = checked(size + EncodingWriter.SizeOf(input));
        foreach (var output in Outputs)
            size = checked(size + EncodingWriter.SizeOf(output.Name) + 1 + 4);
        var writer = new EncodingWriter(size);
        writer.Write(Format);
        writer.Write(Id);
        writer.Write(Inputs.Count);
        foreach (var input in Inputs)
            writer.Write(input);
        writer.Write(AllAsBinary ? (byte)1 : (byte)0);
        writer.Write(Outputs.Count);
        foreach (var output in Outputs)
        {
            writer.Write(output.Name);
            writer.Write(output.AsBinary ? (byte)1 : (byte)0);
            writer.Write(output.Classes);
        }
        return writer.Bytes;
    }

    /// <exception cref="InvalidDataException">The bytes are not an encoded request.</exception>
    public static InferenceRequest Decode(ReadOnlyMemory<byte> bytes)
    {
        var reader = new EncodingReader(bytes);
        var format = reader.ReadByte();
        if (format is not (FirstFormat or Format))
            throw new InvalidDataException($"Format {format} of a request is not known.");
        var isFirst = format == FirstFormat;
        var id = reader.ReadText();
        var inputs = new Tensor[reader.ReadCount()];
        for (var at = 0; at < inputs.Length; at++)
            inputs[at] = reader.ReadTensor();
        var allAsBinary = !isFirst && reader.ReadByte() != 0;
        var outputs = new RequestedOutput[reader.ReadCount()];
        for (var at = 0; at < outputs.Length; at++)
            outputs[at] = isFirst ? new RequestedOutput(reader.ReadText() ?? "") : new RequestedOutput(reader.ReadText() ?? "", reader.ReadByte() != 0, reader.ReadInt());
        return new InferenceRequest(id, inputs, outputs) { AllAsBinary = allAsBinary };
    }
}

/// <summary>An output that a request asks for.</summary>
/// <param name="AsBinary">It is to travel to the client in binary.</param>
/// <param name="Classes">How many of the highest values are wanted as <c>value:index[:label]</c>; 0 for the tensor itself (the protocol's classification extension).</param>
public readonly record struct RequestedOutput(string Name, bool AsBinary = false, int Classes = 0);
