using System.Text.RegularExpressions;

namespace Millrace.Storage.Models;

/// <summary>What a model and a version may be called.</summary>
public static partial class ModelNames
{
    /// <summary>/v2/models/stats means all models, so none may have that name.</summary>
    public static bool IsModel(string name) => Model().IsMatch(name) && name != "stats";

    public static bool IsVersion(string name) => Version().IsMatch(name);

    [GeneratedRegex(@"^(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{1,128}\z")]
    private static partial Regex Model();

    [GeneratedRegex(@"^[1-9][0-9]{0,17}\z")]
    private static partial Regex Version();
}
