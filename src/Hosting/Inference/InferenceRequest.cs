namespace Millrace.Hosting.Inference;

/// <summary>A validated request as it travels to the worker and lies in the store.</summary>
/// <param name="Id">The client's id, to be sent back unchanged; null when it sent none.</param>
/// <param name="Outputs">Names of the outputs asked for, in that order; empty for all.</param>
public sealed record InferenceRequest(string? Id, IReadOnlyList<Tensor> Inputs, IReadOnlyList<string> Outputs)
{
    private const byte Format = 1;

    /// <summary>Format (1 byte), id, inputs, names of outputs. Text is UTF-8 after its length (int32; -1 is null), numbers are little-endian.</summary>
    public byte[] Encode()
    {
        var size = 1 + EncodingWriter.SizeOf(Id) + 4 + 4;
        foreach (var input in Inputs)
            size = checked(size + EncodingWriter.SizeOf(input));
        foreach (var output in Outputs)
            size += EncodingWriter.SizeOf(output);
        var writer = new EncodingWriter(size);
        writer.Write(Format);
        writer.Write(Id);
        writer.Write(Inputs.Count);
        foreach (var input in Inputs)
            writer.Write(input);
        writer.Write(Outputs.Count);
        foreach (var output in Outputs)
            writer.Write(output);
        return writer.Bytes;
    }

    /// <exception cref="InvalidDataException">The bytes are not an encoded request.</exception>
    public static InferenceRequest Decode(ReadOnlyMemory<byte> bytes)
    {
        var reader = new EncodingReader(bytes);
        if (reader.ReadByte() is var format && format != Format)
            throw new InvalidDataException($"Format {format} of a request is not known.");
        var id = reader.ReadText();
        var inputs = new Tensor[reader.ReadCount()];
        for (var at = 0; at < inputs.Length; at++)
            inputs[at] = reader.ReadTensor();
        var outputs = new string[reader.ReadCount()];
        for (var at = 0; at < outputs.Length; at++)
            outputs[at] = reader.ReadText() ?? "";
        return new InferenceRequest(id, inputs, outputs);
    }
}
