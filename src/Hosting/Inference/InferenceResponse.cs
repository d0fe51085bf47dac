namespace Millrace.Hosting.Inference;

/// <summary>What a model answered, as it travels to the API and lies in the store.</summary>
public sealed record InferenceResponse(string Model, string ModelVersion, string? Id, IReadOnlyList<Tensor> Outputs)
{
    private const byte FirstFormat = 1; // results that were stored before outputs had settings
    private const byte Format = 2;

    /// <summary>Format (1 byte), model, version, id, outputs, each with 1 after it when it is wanted in binary; see <see cref="InferenceRequest.Encode"/>.</summary>
    public byte[] Encode()
    {
        var size = 1 + EncodingWriter.SizeOf(Model) + EncodingWriter.SizeOf(ModelVersion) + EncodingWriter.SizeOf(Id) + 4;
        foreach (var output in Outputs)
            size = checked(size + EncodingWriter.SizeOf(output) + 1);
        var writer = new EncodingWriter(size);
        writer.Write(Format);
        writer.Write(Model);
        writer.Write(ModelVersion);
        writer.Write(Id);
        writer.Write(Outputs.Count);
        foreach (var output in Outputs)
        {
            writer.Write(output);
            writer.Write(output.AsBinary ? (byte)1 : (byte)0);
        }
        return writer.Bytes;
    }

    /// <exception cref="InvalidDataException">The bytes are not an encoded response.</exception>
    public static InferenceResponse Decode(ReadOnlyMemory<byte> bytes)
    {
        var reader = new EncodingReader(bytes);
        var format = reader.ReadByte();
        if (format is not (FirstFormat or Format))
            throw new InvalidDataException($"Format {format} of a response is not known.");
        var isFirst = format == FirstFormat;
        var model = reader.ReadText() ?? "";
        var version = reader.ReadText() ?? "";
        var id = reader.ReadText();
        var outputs = new Tensor[reader.ReadCount()];
        for (var at = 0; at < outputs.Length; at++)
            outputs[at] = isFirst ? reader.ReadTensor() : reader.ReadTensor() with { AsBinary = reader.ReadByte() != 0 };
        return new InferenceResponse(model, version, id, outputs);
    }
}
