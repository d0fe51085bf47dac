namespace Millrace.Hosting.Inference;

/// <summary>What a model answered, as it travels to the API and lies in the store.</summary>
public sealed record InferenceResponse(string Model, string ModelVersion, string? Id, IReadOnlyList<Tensor> Outputs)
{
    private const byte Format = 1;

    /// <summary>Format (1 byte), model, version, id, outputs; see <see cref="InferenceRequest.Encode"/>.</summary>
    public byte[] Encode()
    {
        var size = 1 + EncodingWriter.SizeOf(Model) + EncodingWriter.SizeOf(ModelVersion) + EncodingWriter.SizeOf(Id) + 4;
        foreach (var output in Outputs)
            size = checked(size + EncodingWriter.SizeOf(output));
        var writer = new EncodingWriter(size);
        writer.Write(Format);
        writer.Write(Model);
        writer.Write(ModelVersion);
        writer.Write(Id);
        writer.Write(Outputs.Count);
        foreach (var output in Outputs)
            writer.Write(output);
        return writer.Bytes;
    }

    /// <exception cref="InvalidDataException">The bytes are not an encoded response.</exception>
    public static InferenceResponse Decode(ReadOnlyMemory<byte> bytes)
    {
        var reader = new EncodingReader(bytes);
        if (reader.ReadByte() is var format && format != Format)
            throw new InvalidDataException($"Format {format} of a response is not known.");
        var model = reader.ReadText() ?? "";
        var version = reader.ReadText() ?? "";
        var id = reader.ReadText();
        var outputs = new Tensor[reader.ReadCount()];
        for (var at = 0; at < outputs.Length; at++)
            outputs[at] = reader.ReadTensor();
        return new InferenceResponse(model, version, id, outputs);
    }
}
