namespace Millrace.Worker.Execution;

/// <summary>Nodes that end the process when they are given nothing: ONNX Runtime's LSTM and GRU (std::terminate), and Einsum (a division by zero); measured with 1.31.
/// Other nodes answer nothing with nothing.</summary>
internal static class FatalNodes
{
    /// <summary>Looks for the operators' names as ONNX writes them (<c>NodeProto.op_type = 4</c>), in whatever graph within the file they stand.</summary>
    public static bool AreIn(ReadOnlySpan<byte> model) =>
        Has(model, "\"\u0003GRU"u8) || Has(model, "\"\u0004LSTM"u8) || Has(model, "\"\u0006Einsum"u8) || Has(model, "\"\u0013DynamicQuantizeLSTM"u8);

    /// <param name="field">Its tag, which is a quotation mark, its length, and the name.</param>
    private static bool Has(ReadOnlySpan<byte> model, ReadOnlySpan<byte> field) => model.IndexOf(field) >= 0;
}

/// <summary>A request without elements came to a model that can't take any.</summary>
internal sealed class EmptyInputException(string input)
    : Exception($"Input {input} has no element; a model with LSTM, GRU or Einsum nodes needs at least one in each input.");
