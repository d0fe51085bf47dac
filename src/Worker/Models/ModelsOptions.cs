namespace Millrace.Worker.Models;

/// <summary>Where models are found.</summary>
public sealed class ModelsOptions
{
    /// <summary>The model repository: <c>{name}/{version}/model.onnx</c> and, where wanted, <c>{name}/model.json</c> (its members are in the README). Read once, at start.</summary>
    public string Path { get; set; } = "./models";

    /// <summary>The models that this worker serves. Empty: all there are. Names, by commas.</summary>
    public string Names { get; set; } = "";
}
