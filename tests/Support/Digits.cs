using System.Globalization;

namespace Millrace.Tests.Support;

/// <summary>All 1,797 scans of scikit-learn's digits.</summary>
public static class Digits
{
    public static IReadOnlyList<float[]> Scans { get; } = File.ReadLines(Path.Combine(Repository.Models, "digits", "samples", "digits.csv"))
        .Select(line => line.Split(',').Take(64).Select(pixel => float.Parse(pixel, CultureInfo.InvariantCulture)).ToArray()).ToArray();

    public static object Inference(float[] scan) => Bodies.Infer(Bodies.Tensor("image", "FP32", [1, 8, 8], scan));
}
